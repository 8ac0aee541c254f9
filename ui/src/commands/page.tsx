import "@/style/commands.css";
import { useEffect, useMemo, useState } from "preact/hooks";
import { approve, cancel, commands, loadAllCommands, refuse } from "@/core/commands.ts";
import { isTyping, singleKeys, useKeys } from "@/core/keys.ts";
import { nameOf } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { go, href, place, setSearch } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import type { Command } from "@/core/types.ts";
import { Dialog } from "@/shell/dialog.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { CommandDetail } from "./detail.tsx";
import { CommandLine, type Act } from "./line.tsx";
import { RequestForm } from "./request.tsx";
import { KillSwitch, Stopped } from "./switch.tsx";
import { asked, WAITS } from "./words.ts";

const SHOWS = ["open", "awaiting", "all"] as const;
const SHOW_WORDS = { open: "Open", awaiting: "Waiting for a person", all: "All" };

export function CommandsPage() {
  const { id, search } = place.value;
  const show = SHOWS.find((one) => one === search.get("show")) ?? "all";
  const [dialog, setDialog] = useState<{ what: Act; command: Command } | null>(null);
  const loaded = useResource("commands", loadAllCommands);
  const every = useMemo(() => [...commands.value.values()].sort((a, b) => b.requested.localeCompare(a.requested) || b.number - a.number), [commands.value]);
  const list = every.filter((one) => (show === "all" ? true : show === "awaiting" ? WAITS.has(one.state) : !one.isOver));
  const waiting = every.filter((one) => WAITS.has(one.state)).length;
  const keep = Object.fromEntries(search.entries());
  const chosen = commands.value.get(id);
  useListKeys(list, id, keep, (what, command) => setDialog({ what, command }));
  useEffect(() => {
    if (id && matchMedia("(max-width: 1023px)").matches) document.querySelector(".commands .panel")?.scrollIntoView({ block: "nearest" });
  }, [id]);
  return (
    <div class={`with-panel commands${id ? " has-detail" : ""}`}>
      <section class="alarm-main" aria-label="Commands">
        <div class="page-head">
          <h1>Commands</h1>
          <span class="meta">
            {every.filter((one) => !one.isOver).length} open, {waiting} waiting for a person
          </span>
          <span class="push row">
            {id && (
              <a class="button" href={href("commands", "", keep)} data-testid="new-command">
                <Icon name="plus" small /> Ask
              </a>
            )}
            <KillSwitch />
          </span>
        </div>
        <Stopped />
        <div class="filters">
          <div class="segments" role="group" aria-label="Which commands">
            {SHOWS.map((one) => (
              <button key={one} aria-pressed={show === one} data-testid={`commands-${one}`} onClick={() => setSearch({ show: one === "all" ? null : one })}>
                {SHOW_WORDS[one]}
              </button>
            ))}
          </div>
          <span class="meta push keys-hint">
            <kbd>j</kbd> <kbd>k</kbd> move <kbd>a</kbd> approve <kbd>n</kbd> ask
          </span>
        </div>
        {loaded.error && !loaded.data && <Failed error={loaded.error} what="The commands" retry={loaded.retry} />}
        {!loaded.data && !loaded.error && <SkeletonRows count={5} height={48} />}
        {loaded.data && list.length === 0 && (
          <Empty title={show === "all" ? "No command was ever asked for" : show === "open" ? "No command is open" : "Nothing waits for a person"}>
            <p>Ask for one: every guard is asked first, and nothing is sent before they all agree.</p>
          </Empty>
        )}
        <ul class="command-lines" aria-label="Commands, newest first">
          {list.slice(0, 300).map((one) => (
            <CommandLine key={one.id} command={one} isChosen={one.id === id} query={keep} act={(what, command) => setDialog({ what, command })} />
          ))}
        </ul>
      </section>
      <aside class="panel" aria-label={id ? "Details of the command" : "Ask for a command"}>
        {chosen ? <CommandDetail key={chosen.id} command={chosen} act={(what, command) => setDialog({ what, command })} close={() => go(href("commands", "", keep))} /> : id ? <p class="notice">{loaded.data ? `There is no command ${id} among the latest.` : ""}</p> : <RequestForm />}
      </aside>
      {dialog && <WordDialog {...dialog} close={() => setDialog(null)} />}
    </div>
  );
}

const TITLES: Record<Act, string> = { approve: "Approve", refuse: "Refuse", cancel: "Take back" };
const DONE: Record<Act, string> = { approve: "Approved", refuse: "Refused", cancel: "Taken back" };

/** The word of a person: approve (with the hash of what is shown), refuse, take back. */
function WordDialog({ what, command, close }: { what: Act; command: Command; close: () => void }) {
  const [comment, setComment] = useState("");
  const [problem, setProblem] = useState("");
  const say = async (): Promise<void> => {
    try {
      if (what === "approve") await approve(command, comment);
      else if (what === "refuse") await refuse(command, comment);
      else await cancel(command, comment);
      toast(DONE[what]);
      close();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Dialog title={TITLES[what]} close={close} testId="word-dialog">
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void say();
        }}
      >
        <p>
          <strong>
            {command.command} {asked(command)}
          </strong>{" "}
          to <strong>{nameOf(command.twin)}</strong> ({command.twin}), asked by {command.who}.
        </p>
        <p class="meta">Hash {command.hash.slice(0, 16)}</p>
        <div class="field">
          <label for="word-comment">Comment</label>
          <input id="word-comment" class="input" autocomplete="off" value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
        </div>
        <p class="problem" role="alert">
          {problem}
        </p>
        <div class="row end">
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" data-testid="word-send">
            {TITLES[what]}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function useListKeys(list: Command[], id: string, keep: Record<string, string>, open: (what: Act, command: Command) => void): void {
  useKeys((event) => {
    if (isTyping(event) || !singleKeys.value || event.ctrlKey || event.metaKey || event.altKey) return false;
    const at = list.findIndex((one) => one.id === id);
    const move = (to: number): boolean => {
      const next = list[Math.max(0, Math.min(list.length - 1, to))];
      if (next) go(href("commands", next.id, keep), { replace: at >= 0 });
      return true;
    };
    if (event.key === "j") return move(at + 1);
    if (event.key === "k") return move(at < 0 ? 0 : at - 1);
    if (event.key === "Escape" && id) return go(href("commands", "", keep)), true;
    if (event.key === "n") {
      if (id) go(href("commands", "", keep));
      requestAnimationFrame(() => document.getElementById("request-twin")?.focus());
      return true;
    }
    const command = list[at];
    if (event.key === "a" && command && WAITS.has(command.state)) return open("approve", command), true;
    return false;
  });
}

