/** What a phone needs of a twin: its QR code to print and stick on, and a copy of it for where there is no network. */

import { useState } from "preact/hooks";
import { encode } from "uqr";
import { get, getTwin } from "@/core/api.ts";
import { canKeep } from "@/core/offline.ts";
import { toast } from "@/core/toasts.ts";
import type { Twin } from "@/core/types.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";

export function SharingButtons({ twin }: { twin: Twin }) {
  const [isCode, setCode] = useState(false);
  return (
    <>
      <button class="button quiet square" aria-label={`QR code of ${twin.name || twin.id}`} title="QR code" data-testid="qr-button" onClick={() => setCode(true)}>
        <Icon name="qr" />
      </button>
      {canKeep() && (
        <button class="button quiet square" aria-label={`Keep ${twin.name || twin.id} on this device`} title="Keep for offline" data-testid="keep-button" onClick={() => void keepTwin(twin)}>
          <Icon name="save" />
        </button>
      )}
      {isCode && <Code twin={twin} close={() => setCode(false)} />}
    </>
  );
}

/** Asks for everything that is shown of it, so that each answer is kept; a day of its values too. */
async function keepTwin(twin: Twin): Promise<void> {
  const id = encodeURIComponent(twin.id);
  const numbers = twin.properties.filter((one) => one.series !== null && typeof one.value === "number").map((one) => one.path);
  try {
    const { pin } = await import("@/core/saved.ts");
    await Promise.all([
      getTwin(twin.id),
      get(`/work-orders?twin=${id}`),
      get(`/attachments?twin=${id}`),
      ...(numbers.length ? [get(`/history?twin=${id}&property=${numbers.slice(0, 20).map(encodeURIComponent).join(",")}&from=-24h&px=800`)] : []),
    ]);
    await pin(twin.id);
    await navigator.storage?.persist?.();
    toast(`${twin.name || twin.id} is kept on this device`);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), true);
  }
}

function Code({ twin, close }: { twin: Twin; close: () => void }) {
  const address = `${location.origin}/t/${encodeURIComponent(twin.id)}`;
  const { data, size } = encode(address, { ecc: "M", border: 4 });
  const dark = data.flatMap((line, y) => line.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
  return (
    <Dialog title={twin.name || twin.id} close={close} testId="qr">
      <div class="qr">
        <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={`QR code of ${address}`} shape-rendering="crispEdges">
          <rect width={size} height={size} fill="#fff" />
          <path d={dark} fill="#000" />
        </svg>
        <p class="meta" data-testid="qr-address">
          {address}
        </p>
        <button class="button print-hidden" onClick={() => print()}>
          Print
        </button>
      </div>
    </Dialog>
  );
}
