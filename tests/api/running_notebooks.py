"""Running a notebook's cells without Jupyter: `python tests/api/running_notebooks.py` renews the outputs in docs/."""

import ast
import base64
import json
import os
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from matplotlib import pyplot

NOTEBOOK = Path(__file__).parents[2] / "docs/notebook.ipynb"
Cell = dict[str, Any]


def read(path: Path = NOTEBOOK) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook: dict[str, Any]) -> list[Cell]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def execute(cells: list[Cell], folder: Path) -> list[list[dict[str, Any]]]:
    """Each cell's outputs as a notebook has them: what it prints, its figures, the value of its last line."""
    names: dict[str, Any] = {}
    with chdir(folder):
        return [list(_outputs("".join(cell["source"]), names, count)) for count, cell in enumerate(cells, 1)]


def _outputs(source: str, names: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    *body, last = ast.parse(source).body
    value = None
    with redirect_stdout(StringIO()) as printed:
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        else:
            exec(compile(ast.Module([*body, last], []), "<cell>", "exec"), names)
    if text := printed.getvalue():
        yield {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}
    for figure in map(pyplot.figure, pyplot.get_fignums()):
        png = BytesIO()
        figure.savefig(png, format="png", bbox_inches="tight", dpi=72)
        pyplot.close(figure)
        image = base64.b64encode(png.getvalue()).decode()
        yield {"output_type": "display_data", "metadata": {}, "data": {"image/png": image}}
    if value is not None:
        plain = {"text/plain": repr(value).splitlines(keepends=True)}
        yield {"output_type": "execute_result", "metadata": {}, "data": plain, "execution_count": count}


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "agg"
    notebook = read()
    for count, (cell, outputs) in enumerate(
        zip(code_cells(notebook), execute(code_cells(notebook), NOTEBOOK.parent), strict=True), 1
    ):
        cell |= {"outputs": outputs, "execution_count": count}
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
