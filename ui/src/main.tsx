import { render } from "preact";
import { whoAmI } from "@/core/api.ts";
import { startClock } from "@/core/clock.ts";
import { startOutbox } from "@/core/outbox.ts";
import { startKiosk } from "@/core/kiosk.ts";
import { startKeys } from "@/core/keys.ts";
import { startRouter } from "@/core/router.ts";
import { startTheme } from "@/core/theme.ts";
import { startAlarms } from "@/core/alarms.ts";
import { startCommands } from "@/core/commands.ts";
import { startPlant } from "@/core/plant.ts";
import { App } from "@/shell/app.tsx";
import "@/style/tokens.css";
import "@/style/safe.css";
import "@/style/base.css";
import "@/style/shell.css";
import "@/style/overview.css";
import "@/style/twins.css";
import "@/style/alarms.css";
import "@/style/timebar.css";
import "@/style/kiosk.css";

startTheme();
startRouter();
startKeys();
startClock();
startAlarms();
startPlant();
startCommands();
startKiosk();
startOutbox();

const root = document.getElementById("app");
if (root) render(<App />, root);
whoAmI().catch(() => {
  // Shown by the connection strip and each panel; asked again when the link is back.
});
