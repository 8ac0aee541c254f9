/** Rows of a long list that are on screen, by @tanstack/virtual-core. */

import { elementScroll, measureElement, observeElementOffset, observeElementRect, Virtualizer, type VirtualItem } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

interface Virtual {
  items: VirtualItem[];
  size: number;
  scrollTo: (index: number) => void;
  /** As `ref` of a row with `data-index`, where rows differ in height. */
  measure: (element: HTMLElement | null) => void;
}

/** `above` is what lies between the top of what scrolls and the first row; `key` names a row; another function places all anew. */
export function useVirtual(count: number, height: number, box: RefObject<HTMLElement | null>, above = 0, key?: (index: number) => string): Virtual {
  const [, redraw] = useState(0);
  const options = {
    count,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 8,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    measureElement,
    scrollMargin: above,
    ...(key && { getItemKey: key }),
    onChange: () => redraw((n) => n + 1),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtual.setOptions(options);
  useEffect(() => virtual._didMount(), []);
  useLayoutEffect(() => virtual._willUpdate());
  return { items: virtual.getVirtualItems(), size: virtual.getTotalSize(), scrollTo: (index) => virtual.scrollToIndex(index), measure: virtual.measureElement };
}
