"""Sources: where rows come from."""

from declnet.data.sources import csv as csv
from declnet.data.sources import digits as digits
