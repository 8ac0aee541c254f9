"""End to end: the real program, a real Chromium, and what a person sees."""
