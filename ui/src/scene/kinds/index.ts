/** Every kind by the name that scenes use (docs/formats/scene.md). */

import { Builder, type Model } from "../shapes.ts";
import { airHandler, building, chiller, room } from "./building.ts";
import { box, capper, cnc, conveyor, filler, furnace, labeller, packer, palletiser, press, rack, robot } from "./line.ts";
import { boiler, cabinet, heatExchanger, meter, sensor, silo, tank, transformer, valve } from "./process.ts";
import { compressor, fan, gearbox, generator, motor, pump, windTurbine, type Kind } from "./rotating.ts";

export const KINDS: Record<string, Kind> = {
  motor,
  pump,
  compressor,
  fan,
  gearbox,
  generator,
  "wind-turbine": windTurbine,
  tank,
  silo,
  "heat-exchanger": heatExchanger,
  valve,
  building,
  "air-handler": airHandler,
  chiller,
  boiler,
  room,
  conveyor,
  filler,
  capper,
  labeller,
  packer,
  palletiser,
  robot,
  cnc,
  press,
  furnace,
  cabinet,
  transformer,
  meter,
  sensor,
  rack,
  box,
};

/** Builds a kind; what a scene says wrongly (no number, zero, less) falls back to the default. */
export function build(kind: string, parameters: Record<string, unknown> = {}): Model {
  const builder = new Builder();
  const read = (name: string, fallback: number): number => {
    const value = parameters[name];
    return typeof value === "number" && Number.isFinite(value) && value > 0 && value < 1000 ? value : fallback;
  };
  const make = Object.hasOwn(KINDS, kind) ? KINDS[kind]! : box;
  make(builder, read);
  return builder.model();
}
