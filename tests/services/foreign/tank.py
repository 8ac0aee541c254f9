"""FMUs of FMI 2 and 3 made from C in the test: a tank with a valve that opens and closes."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
COMPILER = shutil.which("gcc") or shutil.which("cc")
needs_fmi = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler (Debian: gcc)")
GUID = "{6b8a1c02-tank}"
PLATFORM = {2: "linux64", 3: "x86_64-linux"}

TWO = f"""<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="2.0" modelName="Tank" guid="{GUID}" description="fills and leaks"
    generationTool="by hand" numberOfEventIndicators="1">
  MODES
  <UnitDefinitions><Unit name="m"/></UnitDefinitions>
  <DefaultExperiment startTime="0" stopTime="10" stepSize="0.5"/>
  <ModelVariables>
    <ScalarVariable name="inflow" valueReference="1" causality="input" variability="continuous">
      <Real start="0.05" min="0"/></ScalarVariable>
    <ScalarVariable name="area" valueReference="2" causality="parameter" variability="fixed"
      description="of the floor"><Real start="1" min="0.1" max="100"/></ScalarVariable>
    <ScalarVariable name="leak" valueReference="3" causality="parameter" variability="tunable">
      <Real start="0.1" min="0.001" max="10"/></ScalarVariable>
    <ScalarVariable name="fault" valueReference="4" causality="parameter" variability="fixed">
      <Integer start="0"/></ScalarVariable>
    <ScalarVariable name="level" valueReference="5" causality="output" variability="continuous"
      initial="exact"><Real start="1" unit="m"/></ScalarVariable>
    <ScalarVariable name="der(level)" valueReference="6" causality="local"
      variability="continuous"><Real derivative="5"/></ScalarVariable>
    <ScalarVariable name="outflow" valueReference="7" causality="output" variability="continuous"
      initial="calculated"><Real/></ScalarVariable>
    <ScalarVariable name="open" valueReference="8" causality="output" variability="discrete"
      initial="calculated"><Boolean/></ScalarVariable>
    <ScalarVariable name="probe" valueReference="9" causality="output" variability="discrete"
      initial="calculated"><Integer/></ScalarVariable>
  </ModelVariables>
  <ModelStructure>
    <Outputs><Unknown index="5"/><Unknown index="7"/><Unknown index="8"/><Unknown index="9"/>
    </Outputs>
    <Derivatives><Unknown index="6"/></Derivatives>
    <InitialUnknowns><Unknown index="6"/><Unknown index="7"/></InitialUnknowns>
  </ModelStructure>
</fmiModelDescription>
"""
THREE = f"""<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="3.0" modelName="Tank" instantiationToken="{GUID}">
  MODES
  <UnitDefinitions><Unit name="m"/></UnitDefinitions>
  <ModelVariables>
    <Float64 name="time" valueReference="0" causality="independent" variability="continuous"/>
    <Float64 name="inflow" valueReference="1" causality="input" variability="continuous"
      start="0.05"/>
    <Float64 name="area" valueReference="2" causality="parameter" variability="fixed" start="1"
      min="0.1" max="100"/>
    <Float64 name="leak" valueReference="3" causality="parameter" variability="tunable" start="0.1"
      min="0.001" max="10"/>
    <Int32 name="fault" valueReference="4" causality="parameter" variability="fixed" start="0"/>
    <Float64 name="level" valueReference="5" causality="output" variability="continuous"
      initial="exact" start="1" unit="m"/>
    <Float64 name="der(level)" valueReference="6" causality="local" variability="continuous"
      derivative="5"/>
    <Float64 name="outflow" valueReference="7" causality="output" variability="continuous"
      initial="calculated"/>
    <Boolean name="open" valueReference="8" causality="output" variability="discrete"
      initial="calculated"/>
    <Int32 name="probe" valueReference="9" causality="output" variability="discrete"
      initial="calculated"/>
  </ModelVariables>
  <ModelStructure>
    <Output valueReference="5"/><Output valueReference="7"/><Output valueReference="8"/>
    <Output valueReference="9"/>
    <ContinuousStateDerivative valueReference="6"/>
    <InitialUnknown valueReference="6"/><InitialUnknown valueReference="7"/>
    <EventIndicator valueReference="6"/>
  </ModelStructure>
</fmiModelDescription>
"""
MODES = {
    "co-simulation": '<CoSimulation modelIdentifier="tank"'
    ' canHandleVariableCommunicationStepSize="true"/>',
    "model-exchange": '<ModelExchange modelIdentifier="tank" NEEDS/>',
}


def description(version: int, modes: tuple[str, ...]) -> str:
    # FMI 2 says where it is needed, FMI 3 where it is not
    needs = 'completedIntegratorStepNotNeeded="false"' if version == 2 else (
        'needsCompletedIntegratorStep="true"'
    )  # fmt: skip
    order = sorted(modes, reverse=True)
    parts = "".join(MODES[mode].replace("NEEDS", needs) for mode in order)
    return (TWO if version == 2 else THREE).replace("MODES", parts)


@cache
def _library(version: int) -> bytes:
    import tempfile

    import fmpy

    assert COMPILER is not None
    headers = Path(fmpy.__file__).parent / "c-code"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tank.so"
        subprocess.run(
            [COMPILER, "-w", "-O1", "-shared", "-fPIC", f"-I{headers}", f"-I{HERE}",
             str(HERE / f"tank{version}.c"), "-o", str(place)],
            check=True, timeout=60,
        )  # fmt: skip
        return place.read_bytes()


def tank(version: int = 2, *modes: str) -> bytes:
    """The FMU's bytes."""
    return packed(
        {
            "modelDescription.xml": description(version, modes or tuple(MODES)).encode(),
            f"binaries/{PLATFORM[version]}/tank.so": _library(version),
        }
    )


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def reference(
    inflow: np.ndarray, seconds: float, leak: float = 0.1, area: float = 1.0, level: float = 1.0
) -> np.ndarray:
    """Levels at the ends of steps, by the exact solution between events."""
    found = np.empty(len(inflow))
    is_open = False
    for k, now in enumerate(inflow):
        left = seconds
        while left > 1e-12:
            rate = leak * (2 if is_open else 1) / area
            rest = now / (rate * area)
            edge = 1.5 if is_open else 2.0
            share = (edge - rest) / (level - rest) if level != rest else np.inf
            when = -np.log(share) / rate if 0 < share < 1 else np.inf
            step = min(left, when)
            level = rest + (level - rest) * np.exp(-rate * step)
            left -= step
            if step == when:
                is_open = not is_open
        found[k] = level
    return found
