/** Short messages about what a person just did. */

import { signal } from "@preact/signals";

export interface Toast {
  id: number;
  text: string;
  isError: boolean;
}

export const toasts = signal<Toast[]>([]);
let next = 1;

export function toast(text: string, isError = false): void {
  const id = next++;
  toasts.value = [...toasts.value.slice(-3), { id, text, isError }];
  setTimeout(() => dismiss(id), isError ? 12_000 : 5000);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}
