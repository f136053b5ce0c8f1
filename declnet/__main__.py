"""Run declnet as a module: `python -m declnet train config.yaml`."""

from declnet.app import main

raise SystemExit(main())
