/** Rows of a long list that are on screen, by @tanstack/virtual-core. */

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

export function useVirtual(count: number, height: number, box: RefObject<HTMLElement | null>): { items: VirtualItem[]; size: number; scrollTo: (index: number) => void } {
  const [, redraw] = useState(0);
  const options = {
    count,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 8,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw((n) => n + 1),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtual.setOptions(options);
  useEffect(() => virtual._didMount(), []);
  useLayoutEffect(() => virtual._willUpdate());
  return { items: virtual.getVirtualItems(), size: virtual.getTotalSize(), scrollTo: (index) => virtual.scrollToIndex(index) };
}
