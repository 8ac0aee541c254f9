import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startKeys, useKeys } from "@/core/keys.ts";
import { Dialog } from "@/shell/dialog.tsx";

const below = vi.fn(() => true);
const close = vi.fn();
let home: HTMLDivElement;
startKeys();

function Below() {
  useKeys(below);
  return <button id="before">before</button>;
}

function press(key: string, more: KeyboardEventInit = {}): boolean {
  return (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

beforeEach(async () => {
  below.mockClear();
  close.mockClear();
  home = document.createElement("div");
  document.body.append(home);
  await act(() => render(withDialog(false), home));
  document.getElementById("before")!.focus();
});
afterEach(() => home.remove());

const withDialog = (isOpen: boolean) => (
  <>
    <Below />
    {isOpen && (
      <Dialog title="Ask" close={close}>
        <input id="inside" />
      </Dialog>
    )}
  </>
);

it("takes the focus into its first field and gives it back", async () => {
  await act(() => render(withDialog(true), home));
  expect(document.activeElement?.id).toBe("inside");
  await act(() => render(withDialog(false), home));
  expect(document.activeElement?.id).toBe("before");
});

it("hears Escape and keeps every other key from the page below", async () => {
  await act(() => render(withDialog(true), home));
  expect(press("j")).toBe(true);
  expect(below).not.toHaveBeenCalled();
  expect(press("Escape")).toBe(false);
  expect(close).toHaveBeenCalledOnce();
  await act(() => render(withDialog(false), home));
  press("j");
  expect(below).toHaveBeenCalledOnce();
});
