/** The pages against the fake plant, in a small DOM: hostile names stay text, and each state has its words. */

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { me } from "@/core/api.ts";
import { loadAlarms } from "@/core/alarms.ts";
import { loadTwins } from "@/core/plant.ts";
import { go } from "@/core/router.ts";
import { link } from "@/live/client.ts";
import { AlarmsPage } from "@/alarms/page.tsx";
import { Attention } from "@/overview/attention.tsx";
import { Login } from "@/shell/login.tsx";
import { Tree } from "@/twins/tree.tsx";
import { Faceplate } from "@/twins/faceplate.tsx";
import { FakePlant, HOSTILE } from "../fake/plant.ts";

let plant: FakePlant;
let home: HTMLDivElement;
let broken = "";

beforeEach(async () => {
  plant = new FakePlant(() => Date.now());
  broken = "";
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    const url = new URL(path, "http://page.test");
    if (broken && url.pathname.startsWith(broken)) return new Response(JSON.stringify({ error: { code: "Unavailable", message: "the disk is full", hint: "free some space" } }), { status: 503 });
    const [status, body] = plant.answer(init.method ?? "GET", url.pathname, url.searchParams, init.body ? (JSON.parse(String(init.body)) as Record<string, never>) : {});
    return new Response(status === 204 ? null : body instanceof ArrayBuffer ? body : JSON.stringify(body), { status });
  });
  home = document.createElement("div");
  document.body.append(home);
  me.value = { name: "fake", role: "admin", permissions: ["alarms:write", "commands:send", "twins:write", "models:write"] };
  link.value = { state: "online", since: 0 };
  go("/app/overview");
  await loadTwins();
  await loadAlarms();
});
afterEach(() => {
  render(null, home);
  home.remove();
  vi.unstubAllGlobals();
});

async function show(what: preact.ComponentChild): Promise<void> {
  await act(() => render(what, home));
  await settle(() => expect(home.textContent).not.toBe(""));
}

const settle = async (done: () => void): Promise<void> => {
  await vi.waitFor(done);
};

describe("hostile text", () => {
  it("in the name of a twin stays text in the tree and on its page", async () => {
    await show(<Tree selected="" />);
    expect(home.textContent).toContain(HOSTILE);
    expect(home.querySelector("img, b")).toBeNull();
    render(null, home);
    await show(<Faceplate id="odd" />);
    await settle(() => expect(home.querySelector("h1")?.textContent).toBe(HOSTILE));
    expect(home.querySelector("img, b")).toBeNull();
  });
});

describe("alarms", () => {
  it("are listed most urgent first and can be acknowledged", async () => {
    await show(<Attention />);
    const rows = (): string[] => [...home.querySelectorAll<HTMLElement>("[data-testid=alarm-row]")].map((row) => `${row.dataset["alarmId"]} ${row.dataset["state"]}`);
    expect(rows()).toEqual(["a-1 unacknowledged", "a-2 unacknowledged", "a-3 acknowledged"]);
    home.querySelector<HTMLElement>("[data-testid=ack][data-alarm-id=a-1]")!.click();
    await settle(() => expect(rows()).toContain("a-1 acknowledged"));
    expect(plant.alarms[0]!.acknowledgedBy).toBe("fake");
  });

  it("cannot be acknowledged while offline, and the button says why", async () => {
    link.value = { state: "offline", since: 0 };
    await show(<Attention />);
    const button = home.querySelector<HTMLElement>("[data-testid=ack]")!;
    expect(button.getAttribute("aria-disabled")).toBe("true");
    expect(button.title).toContain("Offline");
    button.click();
    expect(plant.alarms[0]!.state).toBe("unacknowledged");
  });

  it("cannot be acknowledged by a role that may not, and the button says why", async () => {
    me.value = { name: "v", role: "viewer", permissions: [] };
    await show(<Attention />);
    expect(home.querySelector<HTMLElement>("[data-testid=ack]")!.title).toContain("viewer");
  });

  it("of one priority are shown when the address says so", async () => {
    vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(600); // a small DOM lays nothing out
    go("/app/alarms?priority=2");
    await show(<AlarmsPage id="" />);
    await settle(() => expect([...home.querySelectorAll("[data-testid=alarm-row]")].map((row) => row.getAttribute("data-alarm-id"))).toEqual(["a-2"]));
  });
});

describe("a twin", () => {
  it("that does not exist is said to be missing", async () => {
    await show(<Faceplate id="nobody" />);
    await settle(() => expect(home.textContent).toContain("There is no twin called nobody"));
  });

  it("that cannot be loaded fails alone, with the reason and a retry that works", async () => {
    broken = "/twins/pump-1";
    await show(<Faceplate id="pump-1" />);
    await settle(() => expect(home.textContent).toContain("the disk is full. free some space."));
    broken = "";
    [...home.querySelectorAll("button")].find((button) => button.textContent?.includes("Retry"))!.click();
    await settle(() => expect(home.querySelector("h1")?.textContent).toBe("Feed pump 1"));
  });

  it("shows old values as stale, with their age", async () => {
    await show(<Faceplate id="pump-3" />);
    await settle(() => expect(home.querySelectorAll("[data-trust=stale]").length).toBe(3));
    expect(home.textContent).toContain("7 min");
  });

  it("takes a command: form, refused value, typed confirmation, then its steps", async () => {
    await show(<Faceplate id="pump-1" />);
    await settle(() => expect(home.querySelector("[data-testid=command-button]")).not.toBeNull());
    const type = (selector: string, text: string): Promise<void> => act(() => {
      const input = home.querySelector<HTMLInputElement>(selector)!;
      input.value = text;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }) as Promise<void>;
    const submit = (): Promise<void> => act(() => void home.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))) as Promise<void>;
    await act(() => home.querySelector<HTMLElement>("[data-testid=command-button][data-command=setSpeed]")!.click());
    await type("#field-value", "170");
    await submit();
    expect(home.textContent).toContain("at most 100 %");
    await type("#field-value", "70");
    await submit();
    await submit();
    expect(plant.commands).toHaveLength(0);
    await type("[data-testid=confirm-input]", "pump-1");
    await submit();
    await settle(() => expect(home.querySelector("[data-testid=command-state]")?.getAttribute("data-state")).toBe("sent"));
    expect(plant.commands[0]).toMatchObject({ twin: "pump-1", command: "setSpeed", arguments: 70 });
  });
});

it("the login says where to find a token and shows what is wrong", async () => {
  await show(<Login />);
  expect(home.textContent).toContain("gemel token create");
  await act(() => void home.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
  expect(home.querySelector("[role=alert]")?.textContent).toContain("Paste a token");
});
