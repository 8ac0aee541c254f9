/** Photos and notes of a twin or a work order: seen, added, and kept until they can be sent. */

import { useState } from "preact/hooks";
import { get, may } from "@/core/api.ts";
import { tick } from "@/core/clock.ts";
import { drop, flush, newId, send, sentCount, waiting } from "@/core/outbox.ts";
import { useResource } from "@/core/resource.ts";
import { toast } from "@/core/toasts.ts";
import { formatMoment } from "@/core/words.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed } from "@/shell/notices.tsx";
import "@/style/field.css";
import type { Attachment } from "@/core/types.ts";

const LONGEST_SIDE = 1920;

/** A picture as it is sent: JPEG, at most 1920 px on its longer side, without what the camera wrote about place and person. */
async function smaller(file: File): Promise<Blob> {
  const image = await createImageBitmap(file);
  const share = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const canvas = new OffscreenCanvas(Math.round(image.width * share), Math.round(image.height * share));
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
}

async function hand(words: string, path: string, type: string, body: Blob | string, method: "PUT" | "PATCH" = "PUT"): Promise<void> {
  try {
    const isThere = await send({ words, method, path, type, body });
    toast(isThere ? `${words}: sent` : `${words}: kept on this device, sent when the network is back`);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), true);
  }
}

const pathOf = (twin: string, order: string): string => `/attachments/${newId()}?${new URLSearchParams(order ? { order } : { twin })}`;

/** Ticks a box of an order's checklist: said again it is the same, so it may wait for the network. */
export const tickItem = (order: string, item: string, done: boolean): Promise<void> =>
  hand(`${done ? "Done" : "Not done"}: ${item}`, `/work-orders/${encodeURIComponent(order)}`, "application/json", JSON.stringify({ check: { item, done } }), "PATCH");

export function FieldActs({ twin, order = "" }: { twin: string; order?: string }) {
  const [isNote, setNote] = useState(false);
  const [text, setText] = useState("");
  const blocked = may("alarms:write") ? "" : "Your role may not add to the maintenance record";
  const addPhoto = async (event: Event): Promise<void> => {
    const box = event.currentTarget as HTMLInputElement;
    const file = box.files?.[0];
    box.value = "";
    if (!file) return;
    try {
      await hand("Photo", pathOf(twin, order), "image/jpeg", await smaller(file));
    } catch {
      toast("This file is no picture that the browser can read.", true);
    }
  };
  if (blocked) return <p class="meta">{blocked}</p>;
  return (
    <div class="row field-acts">
      <label class="button file-button">
        <Icon name="image" /> Photo
        <input type="file" accept="image/*" capture="environment" aria-label="Add a photo" data-testid="photo-input" onChange={(event) => void addPhoto(event)} />
      </label>
      <button class="button" data-testid="note-button" onClick={() => setNote(true)}>
        <Icon name="comment" /> Note…
      </button>
      {isNote && (
        <Dialog title="A note" close={() => setNote(false)} testId="note-dialog">
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault();
              if (!text.trim()) return;
              setNote(false);
              setText("");
              void hand("Note", pathOf(twin, order), "text/plain", text.trim());
            }}
          >
            <textarea class="input" aria-label="Note" data-testid="note-text" maxLength={2000} value={text} onInput={(event) => setText(event.currentTarget.value)} />
            <button class="button primary" type="submit" data-testid="note-send">
              Keep the note
            </button>
          </form>
        </Dialog>
      )}
    </div>
  );
}

export function AttachedList({ twin }: { twin: string }) {
  const { data, error, retry } = useResource(`attached to ${twin}`, (abort) => get<{ value: Attachment[] }>(`/attachments?twin=${encodeURIComponent(twin)}`, abort), sentCount.value);
  if (error && !data) return <Failed error={error} what="The photos and notes" retry={retry} />;
  if (!data?.value.length) return null;
  return (
    <section aria-label="Photos and notes">
      <h3>Photos and notes</h3>
      <ul class="attached">
        {data.value.map((one) => (
          <li key={one.id} data-testid="attachment" data-type={one.type}>
            {one.text === null ? (
              <a href={`/attachments/${one.id}`} target="_blank" rel="noreferrer">
                <img src={`/attachments/${one.id}`} alt={one.caption || `Photo by ${one.who}`} loading="lazy" />
              </a>
            ) : (
              <p class="note">{one.text}</p>
            )}
            <span class="meta">
              {formatMoment(Date.parse(one.time), tick.value)} {one.who} {one.caption}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What waits for the network, and what was refused; nothing is dropped without its writer. */
export function WaitingList() {
  if (waiting.value.length === 0) return null;
  return (
    <section aria-label="Waiting to be sent" data-testid="waiting-list">
      <h3>Waiting to be sent</h3>
      <ul class="waiting-list">
        {waiting.value.map((one) => (
          <li key={one.id} data-testid="waiting">
            <span class="grow">
              {one.words} <span class="meta">{formatMoment(one.time, tick.value)}</span>
              {one.problem && <span class="problem"> Refused: {one.problem}</span>}
            </span>
            <button class="button quiet" onClick={() => void drop(one.id)}>
              Discard
            </button>
          </li>
        ))}
      </ul>
      <button class="button" onClick={() => void flush()}>
        Try now
      </button>
    </section>
  );
}
