/** Acknowledge, the same button wherever an alarm is shown. */

import { useState } from "preact/hooks";
import { acknowledge, needsAck } from "@/core/alarms.ts";
import { toast } from "@/core/toasts.ts";
import type { Alarm } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { ActionButton } from "@/shell/notices.tsx";

export async function tryAcknowledge(alarm: Alarm, text = ""): Promise<boolean> {
  try {
    await acknowledge(alarm.id, text);
    return true;
  } catch (error) {
    toast(`Not acknowledged: ${error instanceof Error ? error.message : String(error)}`, true);
    return false;
  }
}

export function AckButton({ alarm }: { alarm: Alarm }) {
  const [isBusy, setBusy] = useState(false);
  if (!needsAck(alarm)) return null;
  return (
    <ActionButton
      testId="ack"
      data={{ "data-alarm-id": alarm.id }}
      label={`Ack ${alarm.twinName} ${alarm.title}`}
      blocked={isBusy ? "Being acknowledged" : blockedFrom("alarms:write")}
      onAct={() => {
        setBusy(true);
        void tryAcknowledge(alarm).finally(() => setBusy(false));
      }}
    >
      Ack
    </ActionButton>
  );
}
