/** Taking a twin away in another form; what that loses is told before and after. */

import { useState } from "preact/hooks";
import { get, getBytes } from "@/core/api.ts";
import { useResource } from "@/core/resource.ts";
import { saveFile } from "@/core/saving.ts";
import type { ExportForm, Twin } from "@/core/types.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Failed, SkeletonRows } from "@/shell/notices.tsx";

interface Report {
  text: string;
}

export function ExportButton({ twin }: { twin: Twin }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button class="button" data-testid="export-button" onClick={() => setOpen(true)}>
        Export…
      </button>
      {isOpen && <ExportDialog twin={twin} close={() => setOpen(false)} />}
    </>
  );
}

function ExportDialog({ twin, close }: { twin: Twin; close: () => void }) {
  const { data, error, retry } = useResource("forms of exports", (abort) => get<{ value: ExportForm[] }>("/export", abort));
  const [said, setSaid] = useState("");
  const save = async (form: ExportForm): Promise<void> => {
    const path = `/export/${form.name}?twin=${encodeURIComponent(twin.id)}`;
    try {
      const content = await getBytes(path);
      saveFile(`${twin.id}${form.ending}`, new Blob([content], { type: form.mediaType }));
      setSaid((await get<Report>(`${path}&report=true`)).text);
    } catch (failure) {
      setSaid(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <Dialog title={`Export ${twin.name || twin.id}`} close={close} testId="export-dialog">
      {error && !data && <Failed error={error} what="The forms there are" retry={retry} />}
      {!data && !error && <SkeletonRows count={3} />}
      <ul class="export-forms">
        {(data?.value ?? []).map((form) => (
          <li key={form.name} class="row">
            <span class="grow">{form.about}</span>
            <button class="button" data-testid={`export-${form.name}`} aria-label={`Save as ${form.about}`} onClick={() => void save(form)}>
              Save
            </button>
          </li>
        ))}
      </ul>
      <pre class="export-report" role="status" data-testid="export-report">
        {said}
      </pre>
    </Dialog>
  );
}
