"""How static files are named and served: hashed names, also inside our ES modules, and compressed copies."""

from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]

_glob, _imports = HashedFilesMixin._js_module_import_aggregation_patterns  # type: ignore[attr-defined]


class Assets(CompressedManifestStaticFilesStorage):
    """Rewrites `import "./x.js"` to the hashed name, so that every file may be cached for ever and none goes stale.

    Only in our own js/: others' bundles quote imports in their comments, which are no files.
    Before the first collectstatic, as in a test, there are no hashed names and pages name the plain ones; once there is
    a manifest, a file missing from it is an error.
    """

    patterns = (*HashedFilesMixin.patterns, ("js/*.js", _imports))

    def stored_name(self, name: str) -> str:
        return super().stored_name(name) if self.hashed_files else name
