"""One log for people on a terminal, or JSON lines for a collector."""

import logging.config
from typing import Any

import structlog

# Only what went wrong on our side: a refused page or an ended stream is no line in the log.
ERRORS_ALONE = ["django_structlog", "django.request"]
CHATTY = ["celery.app.trace", "celery.worker.strategy", "celery.worker.request", "celery.beat", "mail.log"]
SILENT = ["django.security.DisallowedHost"]  # any scanner could fill the log; its page was refused

# Plain tracebacks: the pretty ones print local variables, and so passwords and letters.
PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def configure(config: dict[str, Any]) -> None:
    """Set up stdlib logging and structlog from settings.LOGGING ({level, json})."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    renderer = structlog.processors.JSONRenderer() if config["json"] else PLAIN
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "all": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "all"}},
            "root": {"handlers": ["console"], "level": config["level"]},
            "loggers": {name: {"level": "WARNING"} for name in CHATTY}
            | {name: {"level": "ERROR"} for name in ERRORS_ALONE}
            | {name: {"level": "CRITICAL"} for name in SILENT},
        }
    )
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
