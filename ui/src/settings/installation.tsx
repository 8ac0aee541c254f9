import { get } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { formatMoment, formatNumber, plural } from "@/core/words.ts";
import { wall } from "@/core/clock.ts";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";
import type { Installation as InstallationAnswer } from "@/core/types.ts";

/** 1,024 and up in binary units. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [size, at] = [bytes, 0];
  while (size >= 1024 && at < units.length - 1) [size, at] = [size / 1024, at + 1];
  return `${formatNumber(size, at && size < 100 ? 1 : 0)} ${units[at]}`;
}

export function Installation() {
  const { data, error, retry } = useResource("installation", (abort) => get<InstallationAnswer>("/installation", abort));
  if (error && !data) return <Failed error={error} what="The installation" retry={retry} />;
  if (!data) return <SkeletonRows count={6} />;
  return (
    <dl class="facts settings-part" data-testid="installation">
      <Fact name="Version">{data.version}</Fact>
      <Fact name="Plant">{data.plant || "without a name"}</Fact>
      <Fact name="Running since">{formatMoment(Date.parse(data.started), wall.value)}</Fact>
      <Fact name="Page and API">{data.addresses.http}</Fact>
      <Fact name="MQTT">{data.addresses.mqtt}</Fact>
      {data.addresses.mqttTls && <Fact name="MQTT with TLS">{data.addresses.mqttTls}</Fact>}
      {data.addresses.coap && <Fact name="CoAP">{data.addresses.coap}</Fact>}
      <Fact name="Encryption">
        {data.isSecure ? "The page is served over TLS." : "None: start it with --tls before phones and others use it."}
        {data.authority && (
          <>
            {" "}
            <a class="link" href="/authority.pem" target="_blank" rel="noreferrer">
              Its certificate authority
            </a>{" "}
            for phones to trust, SHA-256 <span class="fingerprint">{data.authority}</span>
          </>
        )}
      </Fact>
      <Fact name="Readings">
        {formatNumber(data.readings, 0)}
        {data.retentionDays > 0 ? `, kept for ${plural(data.retentionDays, "day")}` : ", kept for ever"}
      </Fact>
      <Fact name="Data folder">{data.storage.folder}</Fact>
      {Object.entries(data.storage.bytes).map(([part, bytes]) => (
        <Fact key={part} name={`Storage: ${part}`}>
          {formatBytes(bytes)}
        </Fact>
      ))}
      <Fact name="Free on its disk">{formatBytes(data.storage.free)}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
