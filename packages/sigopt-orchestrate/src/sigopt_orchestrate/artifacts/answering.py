"""Between couriers, wherever they are, and the keeper: their questions, and their code."""

from pathlib import Path

from sigopt_orchestrate.artifacts import courier
from sigopt_orchestrate.artifacts.courier.files import Json, RefusedError
from sigopt_orchestrate.artifacts.keeper import BadQuestionError, Keeper
from sigopt_orchestrate.aws.session import AwsError
from sigopt_orchestrate.store import AttemptFolder


def answer(keeper: Keeper, folder: AttemptFolder, asked: Json) -> Json:
    """Answers the courier of an attempt; raises as `courier.transfer.Ask` does."""
    try:
        return keeper.answer(folder.trial, folder.number, asked)
    except AwsError as error:
        if error.may_pass:
            raise OSError(str(error)) from None
        raise RefusedError(str(error)) from None
    except BadQuestionError as error:
        raise RefusedError(f"{error}: is not as couriers ask") from None


def courier_code() -> dict[str, str]:
    """Returns the modules of `artifacts.courier` by their files' names, for elsewhere."""
    folder = Path(courier.__file__).parent
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
