import { useEffect, useRef, useState } from "preact/hooks";

/** Calls some time after something has changed (not at first), once in that time however often it changes. */
export function useSoon(key: unknown, wait: number, call: () => void): void {
  const before = useRef(key);
  const timer = useRef(0);
  useEffect(() => {
    if (before.current === key) return;
    before.current = key;
    timer.current ||= setTimeout(() => {
      timer.current = 0;
      call();
    }, wait) as unknown as number;
  }, [key]);
  useEffect(() => () => clearTimeout(timer.current), []);
}

/** Whether a view has stayed with one thing for a moment: what is costly to show waits for that. */
export function useRested(key: string, wait = 150): boolean {
  const [rested, setRested] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setRested(key), wait);
    return () => clearTimeout(timer);
  }, [key]);
  return rested === key;
}
