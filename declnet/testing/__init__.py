"""What an author of components tests with, and what declnet's own tests use.

`check` holds one component to the contract; `check_gradients` compares backward with differences of forward.
`run` gives one component arrays and gets arrays back, and `Bound` does so again and again; `optimize` and
`minimize` do the same for an optimizer.
"""

from declnet.testing.arrays import Inputs as Inputs
from declnet.testing.arrays import initial_state as initial_state
from declnet.testing.arrays import spec_of as spec_of
from declnet.testing.class_checks import check_docstring as check_docstring
from declnet.testing.conformance import check as check
from declnet.testing.gradients import check_gradients as check_gradients
from declnet.testing.optimize import Descent as Descent
from declnet.testing.optimize import Schedule as Schedule
from declnet.testing.optimize import minimize as minimize
from declnet.testing.optimize import optimize as optimize
from declnet.testing.optimize import optimizer_state as optimizer_state
from declnet.testing.run import Bound as Bound
from declnet.testing.run import Run as Run
from declnet.testing.run import run as run
