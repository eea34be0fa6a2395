"""`schema`: the recipe's JSON Schema, for editors."""

from __future__ import annotations

import click
from rich.console import Console

from tutelage.cli.options import as_json
from tutelage.cli.reply import Reply


@click.command("schema")
@as_json
def schema_command() -> Reply:
    """Print the recipe's JSON Schema: every key with its meaning and default."""
    from tutelage.core.recipe.load import json_schema, schema_text

    def draw(console: Console) -> None:
        console.file.write(schema_text())

    return Reply(data=json_schema(), draw=draw)
