"""The sample's `deploy.toml`, which explains itself."""

from __future__ import annotations

CONFIG = """\
# How the tea shop in the folder `shop` is built, tested and started, where its releases go, and
# who decides about them. It is read once, when the pipeline starts, and never from a commit: what
# is deployed cannot change how it is deployed.
#
# The tags: v1.0 works. v1.1 fails its own tests. v1.2 works. v1.3 works and brings a migration,
# so run the task `migrate` after it. v1.4 waits on the branch `next`; it passes its tests and is
# unhealthy all the same. To let it arrive:
#
#     git -C shop merge next && git -C shop tag v1.4

repository = "shop"            # relative to this file, or a URL
keep = 5                       # so many releases stay in each environment, to go back to

# Each command is a list of words, run without a shell in the folder of the release. It finds PATH,
# HOME, LANG, what `env` of the environment says, and RELEASE, COMMIT and ENVIRONMENT.
[commands]
build = ["python3", "-m", "compileall", "-q", "."]
test = ["python3", "-m", "unittest", "-q"]
start = ["python3", "service.py"]
seconds = 60                   # longer than this, and it is stopped with all that it has started

# What may be run by name in the release that is live.
[tasks.migrate]
run = ["python3", "migrate.py"]
seconds = 60

# Files that deserve attention, on top of those that are known: a `*` goes across folders too.
[attention]
migrations = ["migrations/*", "migrate.py"]

[people]
release_managers = ["ana", "bo", "chi"]

[working_hours]
opens = "09:00"
closes = "17:00"
timezone = "Europe/Berlin"
days = ["monday", "tuesday", "wednesday", "thursday", "friday"]

# When nothing goes to production, unless two people lift it.
[[freeze]]
environments = ["production"]
days = ["friday"]
from = "16:00"
until = "24:00"
timezone = "Europe/Berlin"
because = "nobody is there on Saturday"

# `shared` lists folders that outlive a release: here, the shop's database.
[environments.development]
folder = "environments/development"
health = "http://127.0.0.1:{0}/health"
shared = ["data"]
env = {{ PORT = "{0}" }}

[environments.staging]
folder = "environments/staging"
health = "http://127.0.0.1:{1}/health"
health_seconds = 5             # to become healthy; then it goes back to the last healthy release
shared = ["data"]
env = {{ PORT = "{1}" }}

[environments.production]
protected = true               # people are asked, and no variable frees it
needs = "staging"              # a commit has to have been healthy there first
folder = "environments/production"
health = "http://127.0.0.1:{2}/health"
health_seconds = 5
shared = ["data"]
env = {{ PORT = "{2}" }}
"""
