"""Run declnet from a checkout: `python cli.py train configs/digits_mlp.yaml`."""

from declnet.app import main

raise SystemExit(main())
