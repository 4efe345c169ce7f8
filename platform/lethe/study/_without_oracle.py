"""What a study cannot ask for where no model is trained, since the recipe of the one that is given is not known."""

from collections.abc import Iterator, Sequence

from lethe.study._method_choice import MethodChoice
from unlearning.audits import BUNDLES, Audit
from unlearning.data.forget import AnyForgetRequest, Stream
from unlearning.requirements import REQUIREMENTS


def runs_without_oracle(audit: Audit) -> bool:
    """Return whether an audit can look at a model that nothing can be compared with and whose recipe is not known."""
    return not (audit.needs_oracle or audit.training_epochs)


def audits_without_oracle() -> list[str]:
    """Return the names of the built-in audits that find something of a given model whose recipe is not known."""
    return [
        audit.name
        for audit in BUNDLES["full"]
        if runs_without_oracle(audit) and not audit.needs_control and audit.needs_planted is None
    ]


def faults_without_oracle(
    *,
    given: bool,
    methods: Sequence[MethodChoice],
    forget: Sequence[AnyForgetRequest],
    audits: Sequence[Audit],
    doses: Sequence[float],
) -> Iterator[str]:
    """Yield what a study whose models nobody can train asks for in vain, and what it lacks."""
    if not given:
        yield "original: is needed where the recipe is not known: wanted {checkpoint: FILE}, the only model there is"
    for choice in methods:
        yield from _of_method(choice)
    for request in forget:
        yield from _of_request(request)
    for audit in audits:
        if not runs_without_oracle(audit):
            why = "compares with oracles" if audit.needs_oracle else "trains models further as the recipe says"
            able = ", ".join(audits_without_oracle())
            yield f"audits: {audit.name}: {why}, which is not possible here; audits that can run: {able}"
    if doses:
        yield "doses: models on a share of the forget set would have to be trained; leave them out"


def _of_method(choice: MethodChoice) -> Iterator[str]:
    if choice.search:
        yield (
            f"methods: {choice.name}: search: there is no objective without an oracle; wanted fixed options, or "
            "`settings`: a file of what another study chose"
        )
    if choice.keep == "best":
        yield f"methods: {choice.name}: keep: best is the epoch of the smallest gap to oracles; wanted last or rewind"
    for name in choice.method.requires:
        if name == "earlier_weights":
            yield (
                f"methods: {choice.name}: requires {REQUIREMENTS[name].meaning}, which a given model does not have; "
                "leave it out"
            )


def _of_request(request: AnyForgetRequest) -> Iterator[str]:
    if isinstance(request, Stream):
        yield f"forget: {request.label}: models would have to be trained after each request; wanted requests one by one"
    elif request.has_control or request.plants:
        wants = "has seen the control half, too" if request.has_control else "has not seen what it plants"
        yield f"forget: {request.label}: the given model {wants}; wanted a request for images that it has seen"
