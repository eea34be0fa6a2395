"""The one YAML a Run follows: a file a section, loaded with positions."""

from __future__ import annotations

from tutelage.core.recipe.contract import Contract as Contract
from tutelage.core.recipe.contract import Decoding as Decoding
from tutelage.core.recipe.contract import Fit as Fit
from tutelage.core.recipe.contract import Forged as Forged
from tutelage.core.recipe.contract import Named as Named
from tutelage.core.recipe.contract import TruncateSide as TruncateSide
from tutelage.core.recipe.contract import Variant as Variant
from tutelage.core.recipe.curate import Benchmark as Benchmark
from tutelage.core.recipe.curate import Curate as Curate
from tutelage.core.recipe.curate import Duplicates as Duplicates
from tutelage.core.recipe.curate import Leakage as Leakage
from tutelage.core.recipe.curate import SourceFile as SourceFile
from tutelage.core.recipe.curate import Stage as Stage
from tutelage.core.recipe.evaluate import Evaluate as Evaluate
from tutelage.core.recipe.evaluate import Suite as Suite
from tutelage.core.recipe.goal import GOALS as GOALS
from tutelage.core.recipe.goal import Goal as Goal
from tutelage.core.recipe.improve import Improve as Improve
from tutelage.core.recipe.load import json_schema as json_schema
from tutelage.core.recipe.load import load as load
from tutelage.core.recipe.load import loads as loads
from tutelage.core.recipe.load import resolved as resolved
from tutelage.core.recipe.monitor import Monitor as Monitor
from tutelage.core.recipe.reading import Fields as Fields
from tutelage.core.recipe.reading import Format as Format
from tutelage.core.recipe.reading import Reading as Reading
from tutelage.core.recipe.release import Release as Release
from tutelage.core.recipe.release import Waiver as Waiver
from tutelage.core.recipe.screen import Detector as Detector
from tutelage.core.recipe.screen import Screen as Screen
from tutelage.core.recipe.screen import ScreenAction as ScreenAction
from tutelage.core.recipe.section import Section as Section
from tutelage.core.recipe.serve import Guardrail as Guardrail
from tutelage.core.recipe.serve import Serve as Serve
from tutelage.core.recipe.train import EarlyStopping as EarlyStopping
from tutelage.core.recipe.train import Lora as Lora
from tutelage.core.recipe.train import NewToken as NewToken
from tutelage.core.recipe.train import Precision as Precision
from tutelage.core.recipe.train import Quantisation as Quantisation
from tutelage.core.recipe.train import Quotas as Quotas
from tutelage.core.recipe.train import Teach as Teach
from tutelage.core.recipe.train import Train as Train
from tutelage.core.recipe.whole import Recipe as Recipe
