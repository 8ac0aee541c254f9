/** Scrolls the boxes around an element just so far that it is seen. Unlike `scrollIntoView` it leaves the place at which the Tab key begins. */
export function bringIntoView(element: Element | null | undefined): void {
  for (let box = element?.parentElement; element && box && box !== document.documentElement; box = box.parentElement) {
    const [own, frame] = [element.getBoundingClientRect(), box.getBoundingClientRect()];
    if (box.scrollHeight > box.clientHeight) box.scrollTop += past(own.top, own.bottom, frame.top + box.clientTop, box.clientHeight);
    if (box.scrollWidth > box.clientWidth) box.scrollLeft += past(own.left, own.right, frame.left + box.clientLeft, box.clientWidth);
  }
}

/** How far a span lies before (below 0) or behind a window; its beginning counts where it is the longer one. */
export function past(begin: number, end: number, first: number, length: number): number {
  const behind = end - first - length;
  if (begin < first) return begin - first;
  return behind > 0 ? Math.min(behind, begin - first) : 0;
}
