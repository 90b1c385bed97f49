"""What a module's table offers, read from its source: importing the objectives takes torch's two seconds."""

import ast
from functools import cache
from pathlib import Path
from typing import Any


@cache
def entries(module: str, table: str) -> dict[str, dict[str, Any]]:
    """The keys of a table of gan/<module>.py, each with the literal keyword arguments of the call that is its value."""
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text())
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == table
    )
    assert isinstance(found, ast.Dict)
    return {
        ast.literal_eval(key): {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        for key, call in zip(found.keys, found.values, strict=True)
        if key is not None and isinstance(call, ast.Call)
    }
