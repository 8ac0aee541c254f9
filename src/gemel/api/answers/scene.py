"""What is answered about the plant in space: docs/formats/scene.md says what the fields mean."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from gemel.api.answers.schema import Value


class Driven(TypedDict):
    """The property that moves a part or fills a tank."""

    property: str
    rated: NotRequired[float]
    full: NotRequired[float]
    twin: NotRequired[str]


class SceneObject(TypedDict):
    kind: str
    at: list[float]
    id: NotRequired[str]
    twin: NotRequired[str | None]
    label: NotRequired[str]
    geometry: NotRequired[Annotated[str, "One of the scene's, drawn instead of the kind."]]
    property: NotRequired[Annotated[str, "Of a sensor: what it shows of its twin."]]
    turn: NotRequired[float]
    scale: NotRequired[float]
    parameters: NotRequired[dict[str, float]]
    motion: NotRequired[Driven]
    level: NotRequired[Driven]


class SceneGeometry(TypedDict):
    """A user's shape: a GLB by its hash."""

    glb: str
    models: NotRequired[list[str]]
    scale: NotRequired[float]
    turn: NotRequired[float]
    at: NotRequired[list[float]]


class SceneGeometryNamed(SceneGeometry):
    name: str


class SceneCamera(TypedDict):
    position: list[float]
    target: list[float]


class SceneZone(TypedDict):
    id: str
    label: str
    at: list[float]
    size: list[float]
    twin: NotRequired[str]


class ScenePipe(TypedDict):
    points: list[list[float]]
    diameter: NotRequired[float]
    twin: NotRequired[str]


class Scene(TypedDict):
    version: NotRequired[int]
    name: NotRequired[str]
    kinds: NotRequired[Annotated[dict[str, Value], "Kinds of its own: shape specs by name."]]
    geometries: NotRequired[dict[str, SceneGeometry]]
    camera: NotRequired[SceneCamera]
    zones: NotRequired[list[SceneZone]]
    objects: list[SceneObject]
    pipes: NotRequired[list[ScenePipe]]
