/** Any JSON: made by scripts/page_types.py, never changed by hand. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
