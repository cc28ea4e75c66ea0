"""What a failure must not keep."""


def forget_variables(error: BaseException | None) -> None:
    """Clear the frames of a traceback, which is kept with the failure: secrets are among their variables."""
    from traceback import clear_frames  # noqa: PLC0415 - nobody else needs it

    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__
