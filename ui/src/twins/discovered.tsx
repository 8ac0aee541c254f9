/** Devices that send data and are no twins yet: what they send, and a button that makes them twins. */

import { useState } from "preact/hooks";
import { get, post, remove } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { go, href } from "@/core/router.ts";
import { loadTwins } from "@/core/plant.ts";
import { toast } from "@/core/toasts.ts";
import type { Discovered as Device, Json } from "@/core/types.ts";
import { formatMoment, plural } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { status } from "@/live/client.ts";
import { ActionButton, Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";

export function Discovered() {
  const [version, setVersion] = useState(0);
  const { data, error, retry } = useResource("discovered", (abort) => get<{ value: Device[] }>("/discovered", abort), `${version} ${status.value?.discovered ?? 0}`);
  return (
    <section aria-label="Found devices">
      <div class="page-head">
        <h1>Found devices</h1>
        <a class="link" href={href("twins")}>
          All twins
        </a>
      </div>
      {error && !data && <Failed error={error} what="The found devices" retry={retry} />}
      {!data && !error && <SkeletonRows count={4} height={80} />}
      {data?.value.length === 0 && (
        <Empty title="Every device that sends has a twin">
          <p>A device that sends to devices/&lt;name&gt;/telemetry shows up here by itself.</p>
        </Empty>
      )}
      <ul class="devices">
        {data?.value.map((device) => (
          <DeviceCard key={device.id} device={device} done={() => setVersion((old) => old + 1)} />
        ))}
      </ul>
    </section>
  );
}

/** `adopted` is called instead of going to the new twin. */
export function DeviceCard({ device, done, adopted }: { device: Device; done: () => void; adopted?: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const act = async (what: () => Promise<unknown>, words: string, then?: () => void): Promise<void> => {
    setBusy(true);
    try {
      await what();
      toast(words);
      await loadTwins();
      done();
      then?.();
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), true);
    } finally {
      setBusy(false);
    }
  };
  const path = `/discovered/${encodeURIComponent(device.id)}`;
  return (
    <li class="device" data-testid="discovered-row" data-device-id={device.id}>
      <div class="grow stack" style={{ gap: "4px" }}>
        <strong class="ellipsis">{device.id}</strong>
        <span class="meta">
          {plural(device.messages, "message")} from {device.source} since {formatMoment(Date.parse(device.firstSeen), tick.value)}
        </span>
        <span class="row" style={{ flexWrap: "wrap", gap: "4px" }}>
          {fieldsOf(device).map((one) => (
            <span key={one} class="tag">
              {one}
            </span>
          ))}
        </span>
        <details>
          <summary class="meta">Last message</summary>
          <pre class="raw small">{JSON.stringify(device.sample, null, 2)}</pre>
        </details>
      </div>
      <ActionButton class="primary" testId="adopt" label={`Adopt ${device.id}`} blocked={isBusy ? "Being adopted" : blockedFrom("models:write", "twins:write")} onAct={() => void act(() => post(`${path}/adopt`, {}), `${device.id} is a twin now`, adopted ?? (() => go(href("twins", device.id))))}>
        Adopt
      </ActionButton>
      <ActionButton label={`Forget ${device.id}`} blocked={blockedFrom("twins:write")} onAct={() => void act(() => remove(path), `${device.id} is forgotten until it sends again`)}>
        Forget
      </ActionButton>
    </li>
  );
}

/** "temperature double" for each content of the proposed model. */
function fieldsOf(device: Device): string[] {
  const contents = device.model?.["contents"];
  if (!Array.isArray(contents)) return [];
  return contents.slice(0, 16).map((one) => {
    const { name, schema } = (one ?? {}) as { name?: Json; schema?: Json };
    return `${String(name)} ${typeof schema === "string" ? schema : ""}`.trim();
  });
}
