"""The plant in space: shape specs, the meshes they make, and the scene as glTF.

Read `expression` (arithmetic in specs), `mesh` (triangles of plain shapes), `evaluate` (a kind and
its parameters -> meshes), `gltf` (a scene -> one GLB file), `validate` (what is wrong with
a scene).
`kinds.json` holds the kinds; the page reads the same file (ui/src/scene/spec).
"""
