"""Which units people may read instead of a model's: the page's table, from `gemel.core.units`."""

from gemel.core import units

SYSTEMS = {
    "us": {
        "degreeCelsius": "degreeFahrenheit",
        "bar": "poundPerSquareInch",
        "kilopascal": "poundPerSquareInch",
        "pascal": "inchesOfWater",
        "hectopascal": "inchesOfWater",
        "millibar": "inchesOfWater",
        "metre": "foot",
        "centimetre": "inch",
        "millimetre": "inch",
        "kilometre": "mile",
        "squareMetre": "squareFoot",
        "kilogram": "massPound",
        "tonne": "massPound",
        "kilogramPerSecond": "massPoundPerHour",
        "kilogramPerHour": "massPoundPerHour",
        "newton": "pound",
        "litre": "gallon",
        "cubicMetre": "cubicFoot",
        "litrePerSecond": "gallonPerMinute",
        "litrePerMinute": "gallonPerMinute",
        "litrePerHour": "gallonPerHour",
        "cubicMetrePerHour": "cubicFootPerMinute",
        "cubicMetrePerMinute": "cubicFootPerMinute",
        "cubicMetrePerSecond": "cubicFootPerMinute",
        "metrePerSecond": "milePerHour",
        "kilometrePerHour": "milePerHour",
    },
    "metric": {
        "degreeFahrenheit": "degreeCelsius",
        "poundPerSquareInch": "bar",
        "inchesOfWater": "pascal",
        "inchesOfMercury": "kilopascal",
        "foot": "metre",
        "inch": "millimetre",
        "mile": "kilometre",
        "squareFoot": "squareMetre",
        "squareInch": "squareCentimetre",
        "acre": "hectare",
        "massPound": "kilogram",
        "slug": "kilogram",
        "massPoundPerHour": "kilogramPerHour",
        "pound": "newton",
        "gallon": "litre",
        "cubicFoot": "cubicMetre",
        "cubicInch": "cubicCentimetre",
        "fluidOunce": "millilitre",
        "gallonPerMinute": "litrePerMinute",
        "gallonPerHour": "litrePerHour",
        "cubicFootPerMinute": "cubicMetrePerHour",
        "milePerHour": "kilometrePerHour",
        "horsepower": "kilowatt",
        "britishThermalUnit": "kilowattHour",
        "kiloBritishThermalUnit": "kilowattHour",
        "britishThermalUnitPerHour": "kilowatt",
        "kiloBritishThermalUnitPerHour": "kilowatt",
        "tonOfRefrigeration": "kilowatt",
    },
}
"""By system: the model's unit and the one it is read in. What is not named is read as it is."""


def table() -> str:
    """TypeScript: by system and symbol, the other symbol, scale and offset."""
    lines = [
        "/** value * scale + offset is the value in the other unit. */",
        "export type Read = readonly [symbol: string, scale: number, offset: number];",
        "",
        "export const SYSTEMS: Record<string, Record<string, Read>> = {",
    ]
    for system, pairs in SYSTEMS.items():
        lines.append(f"  {system}: {{")
        for source, target in pairs.items():
            scale, offset = units.conversion(source, target)
            lines.append(
                f'    "{units.symbol(source)}": ["{units.symbol(target)}", {scale!r}, {offset!r}],'
            )
        lines.append("  },")
    return "\n".join([*lines, "};"])
