"""The one room that knows all stages; each of its functions is a command's form in Python."""

from __future__ import annotations

from tutelage.pipeline.ahead import candidates as candidates
from tutelage.pipeline.ahead import draft as draft
from tutelage.pipeline.ahead import learning_curve as learning_curve
from tutelage.pipeline.ahead import plan as plan
from tutelage.pipeline.ahead import unlikely as unlikely
from tutelage.pipeline.people import rating_sheets as rating_sheets
from tutelage.pipeline.people import review_sheets as review_sheets
from tutelage.pipeline.people import take_ratings as take_ratings
from tutelage.pipeline.people import take_reviews as take_reviews
from tutelage.pipeline.people import withdraw_sheet as withdraw_sheet
from tutelage.pipeline.road import Outcome as Outcome
from tutelage.pipeline.road import Stage as Stage
from tutelage.pipeline.road import curate as curate
from tutelage.pipeline.road import evaluate as evaluate
from tutelage.pipeline.road import follow as follow
from tutelage.pipeline.road import gate as gate
from tutelage.pipeline.road import needed as needed
from tutelage.pipeline.road import release as release
from tutelage.pipeline.road import run as run
from tutelage.pipeline.road import train as train
from tutelage.pipeline.rows import contract as contract
from tutelage.pipeline.rows import lessons as lessons
from tutelage.pipeline.served import improve as improve
from tutelage.pipeline.served import monitor as monitor
from tutelage.pipeline.served import recipe_of as recipe_of
from tutelage.pipeline.served import serving as serving
from tutelage.pipeline.served import verify as verify
from tutelage.pipeline.told import explain_row as explain_row
from tutelage.pipeline.told import lineage as lineage
from tutelage.pipeline.told import offspring as offspring
from tutelage.pipeline.told import opted_out as opted_out
