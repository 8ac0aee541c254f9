/** Does something that may fail, and says how it went. */

import { toast } from "@/core/toasts.ts";

export async function attempt(what: () => Promise<unknown>, words: string, then: () => void): Promise<string> {
  try {
    await what();
    toast(words);
    then();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
