/** Scrolls the boxes around an element just so far that it is seen, as `scrollIntoView` does but for the place at which the Tab key begins, which it leaves. */
export function bringIntoView(element: Element | null | undefined): void {
  for (let box = element?.parentElement; element && box && box !== document.documentElement; box = box.parentElement) {
    const [own, frame, style] = [element.getBoundingClientRect(), box.getBoundingClientRect(), getComputedStyle(box)];
    const [top, right, bottom, left] = [style.scrollPaddingTop, style.scrollPaddingRight, style.scrollPaddingBottom, style.scrollPaddingLeft].map((width) => parseFloat(width) || 0) as [number, number, number, number];
    if (box.scrollHeight > box.clientHeight) box.scrollTop += past(own.top, own.bottom, frame.top + box.clientTop + top, box.clientHeight - top - bottom);
    if (box.scrollWidth > box.clientWidth) box.scrollLeft += past(own.left, own.right, frame.left + box.clientLeft + left, box.clientWidth - left - right);
  }
}

/** How far a span lies before (below 0) or behind a window; its beginning counts where it is the longer one. */
export function past(begin: number, end: number, first: number, length: number): number {
  const behind = end - first - length;
  if (begin < first) return begin - first;
  return behind > 0 ? Math.min(behind, begin - first) : 0;
}
