"""What an author of components tests with, and what declnet's own tests use.

`run` gives one component arrays and gets arrays back; `optimize` and `minimize` do the same for an optimizer;
`check_gradients` compares backward with differences of forward; `check` holds one component to the contract.
"""

from declnet.testing.conformance import check as check
from declnet.testing.gradients import check_gradients as check_gradients
from declnet.testing.optimize import minimize as minimize
from declnet.testing.optimize import optimize as optimize
from declnet.testing.optimize import optimizer_state as optimizer_state
from declnet.testing.run import Inputs as Inputs
from declnet.testing.run import Run as Run
from declnet.testing.run import initial_state as initial_state
from declnet.testing.run import poisoned as poisoned
from declnet.testing.run import run as run
from declnet.testing.run import spec_of as spec_of
