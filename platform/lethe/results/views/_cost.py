"""What was spent on what: every unit of work that left a row, by stage."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import View


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """What one stage of a study cost on one kind of device."""

    study: Annotated[str, Column("", "name of the study; a shared artifact counts for the last that recorded it")]
    dataset: Annotated[str | None, Column("", "name of the data set; null for packing")]
    augmentation: Annotated[str | None, Column("", "augmentation; null for packing")]
    network: Annotated[str | None, Column("", "network; null for packing")]
    forget: Annotated[str | None, Column("", "forget request; null for originals, which serve all, and for packing")]
    scenario: Annotated[
        str | None, Column("", "fingerprint of the scenario; null where forget is, and for models of an early version")
    ]
    stage: Annotated[
        str,
        Column("", "'originals', 'oracles', 'saliency', 'unlearned models', 'packing', 'search', 'confirmation', ..."),
    ]
    method: Annotated[str | None, Column("", "method that was searched or confirmed; null before")]
    device: Annotated[str, Column("", "kind of device; empty where a trial died before it had one")]
    units: Annotated[int, Column("", "models, scores, measurements, trials or confirmations")]
    seconds: Annotated[float, Column("s", "their wall-clock times added, retries of what died left out")]
    cpu_seconds: Annotated[
        float | None, Column("s", "core-seconds that their workers held; null where an early version did not say")
    ]
    gpu_seconds: Annotated[float | None, Column("s", "GPU-seconds that their workers held, fractions counted as such")]


COST: Final = View(
    "What was spent on what: time, core-seconds and GPU-seconds by stage, method and kind of device.",
    CostRow,
    """
with spent as (
    select study, dataset, augmentation, network, forget, scenario,
        case when kind in ('original', 'oracle') then kind || 's'
            when kind = 'unlearned_model' then 'unlearned models' else kind end as stage, null as method, device,
        seconds_total as seconds, cpus, gpus
    from artifacts
    union all by name
    select study, dataset, augmentation, network, forget, scenario, 'search' as stage, method, device,
        seconds_total as seconds, cpus, gpus
    from trials
    union all by name
    select study, dataset, augmentation, network, forget, scenario, 'confirmation' as stage, method, device,
        seconds_total as seconds, cpus, gpus
    from confirmations
    union all by name
    select study, 'packing' as stage, device, seconds_total as seconds, cpus * workers as cpus, gpus * workers as gpus
    from calibrations
)
select study, dataset, augmentation, network, forget, scenario, stage, method, device,
    count(*) as units,
    sum(seconds) as seconds,
    if(bool_or(seconds > 0 and cpus is null), null, coalesce(sum(seconds * cpus), 0)) as cpu_seconds,
    if(bool_or(seconds > 0 and gpus is null), null, coalesce(sum(seconds * gpus), 0)) as gpu_seconds
from spent
group by study, dataset, augmentation, network, forget, scenario, stage, method, device
order by study,
    list_position(['originals', 'oracles', 'saliency', 'unlearned models', 'packing', 'search', 'confirmation'], stage),
    dataset, augmentation, forget, scenario, method, device
""",
)
