/** Whether this device can show the plant in VR or AR, and if not, why. */

import { signal } from "@preact/signals";

export type XrMode = "vr" | "ar";

export interface XrSupport {
  /** "" when it can be entered, else the sentence that says why not. */
  vr: string;
  ar: string;
  /** Apple's way to AR: a file that the system opens. */
  hasQuickLook: boolean;
}

const ASKING = "Asking this device…";
export const xrSupport = signal<XrSupport>({ vr: ASKING, ar: ASKING, hasQuickLook: false });

let isListening = false;

export async function askXr(): Promise<void> {
  const hasQuickLook = document.createElement("a").relList.supports("ar");
  const none = (words: string): void => void (xrSupport.value = { vr: words, ar: words, hasQuickLook });
  if (!isSecureContext) return none("Only over HTTPS or on this machine itself: start the server with gemel serve --tls");
  const { xr } = navigator;
  if (!xr) return none("This browser has no WebXR");
  if (!isListening) xr.addEventListener("devicechange", () => void askXr());
  isListening = true;
  const can = (mode: XRSessionMode): Promise<boolean> => xr.isSessionSupported(mode).catch(() => false);
  const [vr, ar] = await Promise.all([can("immersive-vr"), can("immersive-ar")]);
  xrSupport.value = { vr: vr ? "" : "No headset is connected to this device", ar: ar ? "" : "This device or browser has no AR", hasQuickLook };
}
