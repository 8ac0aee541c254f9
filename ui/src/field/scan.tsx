/** Reads a twin's QR code with the camera, where the browser can; elsewhere the phone's own camera opens the same address. */

import { useEffect, useRef, useState } from "preact/hooks";
import { go, href } from "@/core/router.ts";
import { Dialog } from "@/shell/dialog.tsx";
import "@/style/field.css";

interface Detector {
  detect: (source: HTMLVideoElement) => Promise<{ rawValue: string }[]>;
}
declare const BarcodeDetector: { new (options: { formats: string[] }): Detector };

/** The twin that a code names: `https://anywhere/t/ID`, or "" for what is no code of ours. */
export function twinIn(text: string): string {
  try {
    const [, mark, id] = new URL(text).pathname.split("/");
    return mark === "t" && id ? decodeURIComponent(id) : "";
  } catch {
    return "";
  }
}

export function Scan({ close }: { close: () => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let stream: MediaStream | null = null;
    let timer = 0;
    let isOver = false;
    const look = async (detector: Detector): Promise<void> => {
      const found = video.current ? await detector.detect(video.current).catch(() => []) : [];
      if (isOver) return;
      const twin = found.map((one) => twinIn(one.rawValue)).find(Boolean);
      if (twin) {
        close();
        go(href("twins", twin));
      } else {
        if (found.length) setProblem("This code leads to no twin of this server.");
        timer = setTimeout(() => void look(detector), 200) as unknown as number;
      }
    };
    const start = async (): Promise<void> => {
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        if (isOver) return stream.getTracks().forEach((track) => track.stop());
        video.current!.srcObject = stream;
        await video.current!.play();
        void look(new BarcodeDetector({ formats: ["qr_code"] }));
      } catch {
        setProblem("The camera cannot be used: allow it for this page, or use the phone's own camera.");
      }
    };
    void start();
    return () => {
      isOver = true;
      clearTimeout(timer);
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, []);
  return (
    <Dialog title="Scan a code" close={close} testId="scan">
      <div class="scan stack">
        <video ref={video} muted playsInline aria-label="What the camera sees" />
        <p role="status">{problem || "Point the camera at the code on the machine."}</p>
      </div>
    </Dialog>
  );
}
