/** The one clock of the page: a slider over the past and the forecast, play, step, speed, and back to live. */

import { useEffect, useState } from "preact/hooks";
import { forecastSpan, goLive, goTo, isPlaying, mode, moment, playSpeed, SPEEDS, stepBy, togglePlay, wall } from "@/core/clock.ts";
import { pastError, startPast } from "@/core/past.ts";
import { formatAge, formatClock, formatDay, formatMoment } from "@/core/words.ts";
import { Icon } from "./icon.tsx";

const SPANS: [string, number][] = [
  ["1 h", 3_600_000],
  ["8 h", 28_800_000],
  ["24 h", 86_400_000],
  ["7 d", 604_800_000],
];
let isStarted = false;

export function TimeBar() {
  const [span, setSpan] = useState(SPANS[1]![1]);
  useEffect(() => {
    if (isStarted) return;
    isStarted = true;
    startPast();
  }, []);
  const now = wall.value;
  const at = moment.value;
  const isLive = at === null;
  const shown = at ?? now;
  const reach = Math.max(span, now - shown);
  const end = now + forecastSpan.value;
  return (
    <div class={`timebar ${mode.value}`} role="group" aria-label="Time that is shown" data-testid="timebar" data-mode={mode.value}>
      <button class="button live-button" aria-pressed={isLive} data-testid="go-live" title="Show what is now (L on Plant 3D)" onClick={goLive}>
        <span class="live-dot" /> Live
      </button>
      <Step words="A minute back" icon="chevron" isBack act={() => stepBy(-60)} />
      <button class="button square quiet" aria-label={isPlaying.value ? "Pause" : "Play the past"} title={isPlaying.value ? "Pause" : "Play"} data-testid="play" onClick={togglePlay}>
        <Icon name={isPlaying.value ? "pause" : "play"} small />
      </button>
      <Step words="A minute ahead" icon="chevron" act={() => stepBy(60)} isOff={isLive && forecastSpan.value === 0} />
      <select class="input" aria-label="Speed of play" value={String(playSpeed.value)} onChange={(event) => (playSpeed.value = Number(event.currentTarget.value))}>
        {SPEEDS.map((one) => (
          <option key={one} value={String(one)}>
            {one}×
          </option>
        ))}
      </select>
      <span class="meta time-from">{formatMoment(now - reach, now)}</span>
      <input
        class="time-slider"
        type="range"
        aria-label="Moment that is shown"
        aria-valuetext={isLive ? `now, ${formatClock(now)}` : `${formatDay(shown)} ${formatClock(shown)}`}
        data-testid="time-slider"
        min={0}
        max={Math.round((end - now + reach) / 1000)}
        step={Math.max(1, Math.round(reach / 1_000_000))}
        value={Math.round((shown - now + reach) / 1000)}
        onInput={(event) => slide(Number(event.currentTarget.value) * 1000 - reach)}
      />
      <span class="time-shown" data-testid="time-shown">
        {isLive ? `now ${formatClock(now)}` : formatMoment(shown, now)}
      </span>
      {forecastSpan.value > 0 && <span class="meta">forecast +{formatAge(forecastSpan.value / 1000)}</span>}
      {pastError.value && <span class="meta">{pastError.value}</span>}
      <select class="input time-span" aria-label="How far back the slider reaches" value={String(span)} onChange={(event) => setSpan(Number(event.currentTarget.value))}>
        {SPANS.map(([words, ms]) => (
          <option key={ms} value={String(ms)}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Within two seconds of now it is live. */
function slide(offset: number): void {
  isPlaying.value = false;
  if (Math.abs(offset) < 2000) goLive();
  else goTo(wall.peek() + offset);
}

function Step({ words, icon, act, isBack = false, isOff = false }: { words: string; icon: string; act: () => void; isBack?: boolean; isOff?: boolean }) {
  return (
    <button class={`button square quiet${isBack ? " turned" : ""}`} aria-label={words} title={words} disabled={isOff} onClick={act}>
      <Icon name={icon} small />
    </button>
  );
}
