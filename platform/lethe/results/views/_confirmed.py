"""The models that the boards compare, and the confirmations among them that form their rows.

Boards say which models those are (`BoardRow`). Results from before boards were kept have none; there it is the newest
confirmation of each row and seed, for the longest search's choice.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from lethe.results.rows import ConfirmationColumns, ProvenanceColumns
from lethe.results.schema import Column
from lethe.results.views._asked import CURRENT_SEARCHES
from lethe.results.views._base import LABELS_OF_SCENARIO, View


@dataclass(frozen=True, kw_only=True)
class _OnBoard:
    specification_id: Annotated[
        str | None, Column("", "fingerprint of the specification; null in results of an early version, as are the next")
    ] = None
    data_hash: Annotated[str | None, Column("", "hash of the images and labels")] = None
    forget_hash: Annotated[
        str | None,
        Column(
            "",
            "hash of the indices of the forget set; one of the candidates where each training seed has a lot",
        ),
    ] = None
    recipe: Annotated[str | None, Column("", "fingerprint of network, training recipe and the study's seed")] = None
    but_augmentation: Annotated[
        str | None, Column("", "fingerprint of all that makes the scenario but its augmentation")
    ] = None
    training: Annotated[str | None, Column("", "how originals and oracles are trained, in words")] = None
    stream: Annotated[
        str | None,
        Column(
            "",
            "fingerprint of the first scenario of a stream of requests; null for a request by itself, as are the next "
            "two, and in results of an early version",
        ),
    ] = None
    step: Annotated[int | None, Column("", "how many requests of the stream have come")] = None
    steps: Annotated[int | None, Column("", "how many come in all")] = None
    margin: Annotated[float | None, Column("fraction", "excess below which a row counts as equivalent")] = None
    tuning_seeds: Annotated[list[int] | None, Column("", "training seeds that the search saw")] = None
    seeds_wanted: Annotated[int, Column("", "reporting seeds of the specification")]
    untuned: Annotated[bool, Column("", "whether it is a control at its method's setting, without a search of its own")]
    tuned_in: Annotated[
        str | None,
        Column("", "study whose search chose the setting, as a settings file says; null where no file gave it"),
    ] = None
    tuned_on_other_data: Annotated[
        bool | None, Column("", "whether that search saw other images or labels; null where no file gave the setting")
    ] = None


@dataclass(frozen=True, kw_only=True)
class _Role:
    role: Annotated[
        Literal["reporting", "tuning", "dose"],
        Column("", "what the model is for; the search saw tuning seeds, a dose was trained on some of the forget set"),
    ]


@dataclass(frozen=True, kw_only=True)
class ComparedRow(_Role, _OnBoard, ProvenanceColumns, ConfirmationColumns):
    """A model that a board compares."""


@dataclass(frozen=True, kw_only=True)
class ConfirmedRow(_OnBoard, ProvenanceColumns, ConfirmationColumns):
    """A confirmation in a row of a board."""


COMPARED: Final = View(
    "Every model that a board compares: the rows of `confirmed`, oracles of the tuning seeds, and doses.",
    ComparedRow,
    f"""
with searches as ({CURRENT_SEARCHES}),
wanted as (
    select study, scenario, count(distinct training_seed) as seeds_wanted
    from asked where role = 'reporting' group by all
),
on_board as (
    select c.* exclude (role) replace (
            b.method_search as method_search, b.trial_id as trial_id, b.tuning_trials as tuning_trials,
            b.tuning_raced as tuning_raced, b.tuning_seconds as tuning_seconds
        ),
        b.specification_id, b.data_hash, b.forget_hash, b.recipe, b.but_augmentation, b.training, b.stream, b.step,
        b.steps, b.margin, b.tuning_seeds,
        w.seeds_wanted, b.row <> b.method and s.row is distinct from b.row as untuned, b.tuned_in,
        b.tuned_data_hash <> b.data_hash as tuned_on_other_data, b.role
    from asked b join confirmations c using (study, scenario, confirmation_id)
        join wanted w using (study, scenario)
        left join searches s on s.study = b.study and s.method_search = b.method_search
),
before_boards as (
    select * exclude (chosen_setting, chosen_trials),
        count(distinct training_seed) over (partition by study, scenario) as seeds_wanted, row <> method as untuned,
        'reporting' as role
    from (
        select * from (
            select * exclude (role),
                last_value(setting) over of_row as chosen_setting,
                last_value(tuning_trials) over of_row as chosen_trials
            from confirmations
            where role is null and getvariable('specification') = '' and study not in (select study from boards)
            window of_row as (
                partition by study, scenario, row order by coalesce(tuning_trials, 0), ended_at
                rows between unbounded preceding and unbounded following
            )
        )
        where chosen_trials is null or setting = chosen_setting
        qualify row_number() over (
            partition by study, scenario, row, training_seed order by coalesce(tuning_trials, 0) desc, ended_at desc
        ) = 1
    )
)
select * replace ({LABELS_OF_SCENARIO}) from (from on_board union all by name from before_boards)
""",
    kept=True,
)

CONFIRMED: Final = View(
    "The confirmations that form the rows of the boards: those of each study's specification that was run last.",
    ConfirmedRow,
    "select * exclude (role) from compared where role = 'reporting'",
    kept=True,
)
