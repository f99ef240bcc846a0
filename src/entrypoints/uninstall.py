"""Taking this service's own tables out of a database, for whoever goes back for good."""

from adapters.postgres import maintenance
from entrypoints.databases import opened
from entrypoints.errors import StartError
from entrypoints.settings import Settings
from ports.errors import StoreUnavailable


def uninstall(settings: Settings) -> str:
    """Remove everything of ours but the schedules; return from where. Raises StartError."""
    with opened(settings) as database:
        try:
            maintenance.uninstall(database.url, schema=database.schema)
        except StoreUnavailable as error:
            raise StartError(str(error)) from None
        return database.display
