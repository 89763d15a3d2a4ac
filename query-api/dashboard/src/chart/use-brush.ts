/** Pointing at a bucket, choosing it, and marking a stretch by dragging or with Shift and arrows. */
import { useRef, useState } from "preact/hooks";

interface Options {
  enabled: boolean;
  /** The bucket at a horizontal place of the window. */
  bucketAt: (x: number) => number;
  onPoint: (index: number) => void;
  onChoose: (index: number) => void;
  /** Both ends included, in order. */
  onSpan: (from: number, to: number) => void;
}

/** Less than this many pixels is a click. */
const DRAG_PX = 6;

export function useBrush({ enabled, bucketAt, onPoint, onChoose, onSpan }: Options) {
  const [ends, setEnds] = useState<[start: number, now: number] | null>(null);
  const down = useRef<{ x: number; index: number; sure: boolean } | null>(null);
  const seen = useRef<number | null>(null);

  const span: [number, number] | null = ends && [Math.min(...ends), Math.max(...ends)];
  const cancel = () => {
    down.current = null;
    setEnds(null);
  };
  const finish = () => {
    if (span) onSpan(span[0], span[1]);
    cancel();
  };
  const handlers = {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      const index = bucketAt(event.clientX);
      // A finger's first touch shows a bucket; only its second opens the day.
      down.current = {
        x: event.clientX,
        index,
        sure: event.pointerType === "mouse" || seen.current === index,
      };
      seen.current = index;
      onPoint(index);
    },
    onPointerMove: (event: PointerEvent) => {
      const index = bucketAt(event.clientX);
      onPoint(index);
      const from = down.current;
      if (!from || !enabled || event.pointerType !== "mouse") return;
      if (!ends && Math.abs(event.clientX - from.x) < DRAG_PX) return;
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
      setEnds([from.index, index]);
    },
    onPointerUp: (event: PointerEvent) => {
      const from = down.current;
      if (ends) finish();
      else if (from?.sure && bucketAt(event.clientX) === from.index) onChoose(from.index);
      down.current = null;
    },
    onPointerCancel: cancel,
  };
  const extend = (from: number, to: number) => {
    if (enabled) setEnds([ends ? ends[0] : from, to]);
  };
  return { span, handlers, extend, finish, cancel };
}
