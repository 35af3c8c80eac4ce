"""Look at the database: what was solved long ago is closed."""

from celery import shared_task

from tickets import closing


@shared_task
def close_solved() -> None:
    closing.close_solved()
