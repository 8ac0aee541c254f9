/** The ways out of the screen: a headset, AR through a phone, or a file that Apple's phones show. */

import { useEffect } from "preact/hooks";
import { askXr, xrSupport, type XrMode } from "@/core/xr.ts";
import { toast } from "@/core/toasts.ts";
import type { PlantView } from "@/scene/view.ts";

interface Props {
  view: { current: PlantView | null };
}

/** Only what this device can do is shown; Settings say why the rest is not. */
export function XrButtons({ view }: Props) {
  useEffect(() => void askXr(), []);
  const { vr, ar, hasQuickLook } = xrSupport.value;
  const enter = async (mode: XrMode): Promise<void> => {
    try {
      await view.current?.enterXr(mode);
    } catch (error) {
      toast(`${mode === "vr" ? "VR" : "AR"} cannot be entered: ${error instanceof Error ? error.message : String(error)}`, true);
    }
  };
  return (
    <>
      {!vr && (
        <button class="button" data-testid="enter-vr" onClick={() => void enter("vr")}>
          Enter VR
        </button>
      )}
      {!ar && (
        <button class="button" data-testid="enter-ar" onClick={() => void enter("ar")}>
          View in AR
        </button>
      )}
      {ar && hasQuickLook && (
        <button class="button" data-testid="quick-look" onClick={() => void saveUsdz(view, true)}>
          View in AR
        </button>
      )}
    </>
  );
}

/** Makes the file on this device; iPhones and iPads open it in AR, others save it. */
export async function saveUsdz(view: Props["view"], isShown = false): Promise<void> {
  if (!view.current) return;
  try {
    const url = URL.createObjectURL(await view.current.toUsdz());
    const link = document.createElement("a");
    link.href = url;
    if (isShown) {
      link.rel = "ar";
      link.append(document.createElement("img"));
    } else link.download = "plant.usdz";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), true);
  }
}
