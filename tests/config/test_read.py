"""What a config may not say: every kind of mistake, its place and its whole message."""

from __future__ import annotations

import copy
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declnet.config.document import clip
from declnet.config.dump import dump
from declnet.config.yaml import loads
from declnet.core.registry import REGISTRIES
from declnet.errors import ConfigError, DataError, DeclnetError
from declnet.runner.experiment import load

LINES = {
    "name": "name: n",
    "data": "data: {source: Digits}",
    "model": "model: [{type: Linear, out_features: 10}]",
    "loss": "loss: CrossEntropyLoss",
    "optimizer": "optimizer: SGD",
}
"""A config without a mistake, a line for each key: a case replaces some of them, and adds others below."""

CSV = "{source: {type: CSV, path: t.csv}, inputs: "
WIRED = "expected a name, a list of names, or a mapping from argument to name, got "
NAME = "expected a name (letters, digits and underscores, not starting with a digit), got "
DIRECTORY = (
    "name: a name is up to 100 letters, digits, dots, dashes and underscores, starting with a letter or digit, "
    "because it names a directory; got "
)
TOP = "it takes name, seed, dtype, extends, vars, data, model, init, loss, optimizer, scheduler and loop"


def listed(names: list[str], last: str) -> str:
    """`a, b or c`."""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def text_of(lines: str) -> str:
    """The config with these lines in the place of the ones with the same keys."""
    own = {section.split(":")[0]: section for section in re.split(r"\n(?! )", lines)}
    return "".join(f"{section}\n" for section in (LINES | own).values())


def whole(message: str) -> str:
    """Fill in what depends on the components there are: `<optimizers>`, `<owners of betas>`."""
    for registry in REGISTRIES:
        names = list(registry)
        more = f"{len(names) - 8} more: declnet list-components"
        there = listed(names if len(names) <= 8 else [*names[:8], more], "or")
        message = message.replace(f"<{registry.plural}>", there)
    if "<owners of " in message:
        before, _, rest = message.partition("<owners of ")
        key, _, after = rest.partition(">")
        classes = [(n, cls) for registry in REGISTRIES for n, cls in registry.load().items()]
        message = before + listed([n for n, cls in classes if key in cls.model_fields], "and") + after
    return message


def refused(text: str, error: type[DeclnetError] = ConfigError) -> list[str]:
    Path("f.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DeclnetError) as caught:
        load("f.yaml")
    assert type(caught.value) is error
    return [item.headline.replace("f.yaml:", "").replace(" error: ", " ") for item in caught.value.diagnostics]


MISTAKES = """
optimizer: {type: SGD, lrr: 0.1}
! 5:24: optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?

optimizer: {type: SGD, LR: 0.1}
! 5:24: optimizer.LR: unknown key 'LR'; did you mean 'lr'?

optimizer: {type: SGD, wieght_decay: 0.1}
! 5:24: optimizer.wieght_decay: unknown key 'wieght_decay'; did you mean 'weight_decay'?

optimizer: {type: SGD, zzzz: 1}
! 5:24: optimizer.zzzz: unknown key 'zzzz'; it takes lr, momentum, dampening, weight_decay, nesterov and maximize;
!  beside them stand groups

optimizer: {type: SGD, betas: [0.9, 0.99]}
! 5:24: optimizer.betas: SGD has no 'betas': that is an argument of <owners of betas>

optimizer: {type: SGD, epochs: 9}
! 5:24: optimizer.epochs: unknown key 'epochs'; it belongs elsewhere: loop.epochs

optimizer: {type: SGD, fused: true}
! 5:24: optimizer.fused: SGD takes no 'fused' here: a switch between PyTorch's implementations; here there is one,
!  always over flat vectors

optimizer: {type: Adam, capturable: true}
! 5:25: optimizer.capturable: Adam takes no 'capturable' here: for CUDA graphs, and declnet runs on the CPU

optimizer: sgd
! 5:12: optimizer.type: unknown optimizer 'sgd'; did you mean 'SGD'?

optimizer: {type: Adamm}
! 5:19: optimizer.type: unknown optimizer 'Adamm'; did you mean 'Adam'?

optimizer: {type: Nothing}
! 5:19: optimizer.type: unknown optimizer 'Nothing'; there is <optimizers>

optimizer: {type: Linear}
! 5:19: optimizer.type: 'Linear' is a component, not an optimizer

optimizer: accuracy
! 5:12: optimizer.type: 'accuracy' is a metric, not an optimizer

optimizer: {typ: SGD}
! 5:13: optimizer.typ: unknown key 'typ'; did you mean 'type'?

optimizer: {lr: 1}
! 5:12: optimizer: an optimizer needs 'type': <optimizers>

optimizer: {}
! 5:12: optimizer: an optimizer needs 'type': <optimizers>

optimizer: {type: 3}
! 5:19: optimizer.type: expected the name of an optimizer, got 3

optimizer: [SGD]
! 5:12: optimizer: expected an optimizer, as a name or {type: Name, ...}; got ['SGD']

optimizer: 3
! 5:12: optimizer: expected an optimizer, as a name or {type: Name, ...}; got 3

optimizer:
! 5:11: optimizer: expected an optimizer, as a name or {type: Name, ...}; got null

optimizer: {type: SGD, lr: '0.1'}
! 5:28: optimizer.lr: expected a number, got '0.1'; without the quotes it is one

optimizer: {type: SGD, lr: true}
! 5:28: optimizer.lr: expected a number, got true

optimizer: {type: SGD, lr: null}
! 5:28: optimizer.lr: expected a number, got null

optimizer: {type: SGD, lr: {}}
! 5:28: optimizer.lr: expected a number, got an empty mapping

optimizer: {type: SGD, lr: [1]}
! 5:28: optimizer.lr: expected a number, got [1]

optimizer: {type: SGD, lr: -1}
! 5:28: optimizer.lr: must be at least 0, got -1

optimizer: {type: SGD, lr: .inf}
! 5:28: optimizer.lr: must be a finite number, got .inf

optimizer: {type: SGD, lr: .nan}
! 5:28: optimizer.lr: must be a finite number, got .nan

optimizer: {type: SGD, nesterov: yes}
! 5:34: optimizer.nesterov: expected true or false, got 'yes'; write true

optimizer: {type: SGD, nesterov: true}
! 5:34: optimizer.nesterov: nesterov needs a momentum above 0 and a dampening of 0

optimizer: {type: AdamW, betas: 0.9}
! 5:33: optimizer.betas: expected a list of 2 numbers, at least 0, less than 1, got 0.9

optimizer: {type: AdamW, betas: [0.9]}
! 5:33: optimizer.betas: expected a list of 2 numbers, at least 0, less than 1, got [0.9]

optimizer: {type: AdamW, betas: [0.9, 1, 3]}
! 5:33: optimizer.betas: expected a list of 2 numbers, at least 0, less than 1, got [0.9, 1, 3]

optimizer: {type: AdamW, betas: [0.9, 1.0]}
! 5:39: optimizer.betas[1]: must be less than 1, got 1.0

optimizer: {type: AdamW, betas: [a, b]}
! 5:34: optimizer.betas[0]: expected a number, at least 0, less than 1, got 'a'
! 5:37: optimizer.betas[1]: expected a number, at least 0, less than 1, got 'b'

model: [{type: Linear, out_feature: 10}]
! 3:24: model[0].out_feature: unknown key 'out_feature'; did you mean 'out_features'?

model: [Linear]
! 3:9: model[0]: Linear needs 'out_features'

model: [{type: Linear, zzzz: 1}]
! 3:9: model[0]: Linear needs 'out_features'
! 3:24: model[0].zzzz: unknown key 'zzzz'; it takes in_features, out_features and bias;
!  beside them stand name, inputs, calls, repeat, init and freeze

model: [{type: Linear, out_features: 0}]
! 3:38: model[0].out_features: must be greater than 0, got 0

model: [{type: Linear, out_features: 10.0}]
! 3:38: model[0].out_features: expected a whole number, got 10.0

model: [{type: Linear, out_features: ten}]
! 3:38: model[0].out_features: expected a whole number, got 'ten'

model: [{type: Linear, out_features: 10, in_features: 60}]
! 3:55: model[0].in_features: Linear takes 60 features but its input has 64 (from data.inputs.x)

model:
  - {type: Linear, out_features: 5}
  - {type: Linear, in_features: 6, out_features: 7}
  - {type: Linear, in_features: 8, out_features: 10}
! 5:33: model[1].in_features: Linear takes 6 features but its input has 5 (from model[0])
! 6:33: model[2].in_features: Linear takes 8 features but its input has 7 (from model[1])

model: [{type: Sequential, layers: [{type: Linear, in_features: 3, out_features: 10}]}]
! 3:65: model[0].layers[0].in_features: Linear takes 3 features but its input has 64 (from data.inputs.x)

model: [{type: Sequential, layers: [Relu, {type: Sequential, layers: [{type: Linear, out_featurs: 10}]}]}]
! 3:37: model[0].layers[0].type: unknown component 'Relu'; did you mean 'ReLU'?
! 3:86: model[0].layers[1].layers[0].out_featurs: unknown key 'out_featurs'; did you mean 'out_features'?

model: [{type: Sequential, layers: ReLU}]
! 3:36: model[0].layers: expected a list of components, got 'ReLU'

model: [Sequential]
! 3:9: model[0]: Sequential needs 'layers'

model: [{type: Linear, out_features: 10}, {type: Dropout, p: 1.5}]
! 3:62: model[1].p: must be at most 1, got 1.5

model: [{type: Linear, out_features: 10}, {type: ReLU, inplace: true}]
! 3:56: model[1].inplace: ReLU takes no 'inplace' here: the plan works in place wherever nobody needs the input

model: [{type: Linear, out_features: 10}, {type: Flatten, start_dim: 3}]
! 3:70: model[1].start_dim: Flatten needs a dimension 3 but its input (32, 10) has 2; start_dim may be -2 to 1
!  (from model[0])

model: [Relu, {type: Linear, out_features: 10}]
! 3:9: model[0].type: unknown component 'Relu'; did you mean 'ReLU'?

model: [CrossEntropyLoss, {type: Linear, out_features: 10}]
! 3:9: model[0].type: 'CrossEntropyLoss' is a loss, not a component

model: [Nothing]
! 3:9: model[0].type: unknown component 'Nothing'; there is <modules>

model: [nn.Linear, {type: torch.nn.LayerNorms}, nn.LSTM]
! 3:9: model[0].type: unknown component 'nn.Linear'; did you mean 'Linear'?
! 3:27: model[1].type: unknown component 'torch.nn.LayerNorms'; did you mean 'LayerNorm'?
! 3:49: model[2].type: unknown component 'nn.LSTM'; there is <modules>

model: [3]
! 3:9: model[0]: expected a component, as a name or {type: Name, ...}; got 3

model: [null]
! 3:9: model[0]: expected a component, as a name or {type: Name, ...}; got null

model: [[ReLU]]
! 3:9: model[0]: expected a component, as a name or {type: Name, ...}; got ['ReLU']

model: [{Linear: {out_features: 10}}]
! 3:10: model[0].Linear: write {type: Linear, ...}, or the bare name

model: [{tpye: Linear}]
! 3:10: model[0].tpye: unknown key 'tpye'; did you mean 'type'?

model: Linear
! 3:8: model: expected a list of components, got 'Linear'

model: {type: Linear}
! 3:8: model: expected a list of components, got a mapping

model: null
! 3:8: model: expected a list of components, got null

model: []
! 3:8: model: the model has no components

model: [ReLU]
! 3:8: model: nothing in the model can learn: no component has parameters

model: [{type: Linear, out_features: 10, name: a}, {type: ReLU, name: a}]
! 3:71: model[1].name: two components are called 'a'; give one another name

model: [{type: Linear, out_features: 10, name: x}]
! 3:48: model[0].name: 'x' is already the name of an input; choose another

model: [{type: Linear, out_features: 10, name: y}]
! 3:48: model[0].name: 'y' is already the name of a target; choose another

model: [{type: Linear, out_features: 10, inputs: {inpt: x}}]
! 3:50: model[0].inputs: inputs are input; got inpt

model: [{type: Linear, out_features: 10, inputs: [x, x]}]
! 3:50: model[0].inputs: Linear takes 1 input (input) but gets 2

model: [{type: Linear, out_features: 10}, {type: Add, inputs: ["0", x]}]
! 3:69: model[1].inputs[1]: Add takes inputs whose shapes fit but one is (32, 64) after (32, 10) (from data.inputs.x)

model: [{type: Linear, out_features: 10}, {type: MatMul, inputs: {other: x, input: "0"}}]
! 3:74: model[1].inputs.other: MatMul takes (*, n, k) and (*, k, m) but its inputs are (32, 10) and (32, 64): 10
!  is not 32 (from data.inputs.x)

model: [{type: Linear, out_features: 10, inputs: z}]
! 3:50: model[0].inputs[0]: nothing before it is called 'z'; there is x

model: [{type: Linear, out_features: 10, inputs: y}]
! 3:50: model[0].inputs[0]: 'y' is a target, which only the loss reads

model: [{type: Linear, out_features: 9, name: a}, {type: Linear, out_features: 10, inputs: [b]}]
! 3:93: model[1].inputs[0]: nothing before it is called 'b'; there is x and a

model: [{type: Sequential, layers: [{type: Linear, out_features: 10, inputs: x}]}]
! 3:78: model[0].layers[0].inputs[0]: 'x' is outside the block, which sees only its own names: input; 'input' is what the block reads

model: [{type: Sequential, inputs: [x, x], layers: [{type: Linear, out_features: 10}]}]
! 3:9: model[0]: Sequential takes one input but gets 2 (from data.inputs.x and data.inputs.x); name one with 'inputs'

loss: crossentropyloss
! 4:7: loss.type: unknown loss 'crossentropyloss'; did you mean 'CrossEntropyLoss'?

loss: Nothing
! 4:7: loss.type: unknown loss 'Nothing'; there is <losses>

loss: ReLU
! 4:7: loss.type: 'ReLU' is a component, not a loss

loss: null
! 4:7: loss: expected a loss, as a name or {type: Name, ...}; got null

loss: {type: CrossEntropyLoss, reduction: men}
! 4:43: loss.reduction: expected 'mean', 'sum' or 'none', got 'men'; did you mean 'mean'?

loss: {type: CrossEntropyLoss, reduction: none}
! 4:43: loss.reduction: CrossEntropyLoss gives one number for each row; to train it must be reduced: mean or sum

loss: {type: CrossEntropyLoss, size_average: true}
! 4:32: loss.size_average: CrossEntropyLoss takes no 'size_average' here: deprecated in PyTorch: use reduction

loss: {type: CrossEntropyLoss, weight: 1}
! 4:40: loss.weight: expected a list of numbers or null, got 1

loss: {type: CrossEntropyLoss, weight: [1, a]}
! 4:44: loss.weight[1]: expected a number, got 'a'

loss: {type: CrossEntropyLoss, weight: [1, 2]}
! 4:40: loss.weight: weight has 2 numbers but the input (32, 10) has 10 classes

loss: {type: CrossEntropyLoss, ignore_index: 1.5}
! 4:46: loss.ignore_index: expected a whole number, got 1.5

loss: HuberLoss
! 4:7: loss: HuberLoss takes floating-point numbers but its target holds ints (from data.targets.y)

loop: {metrics: [Accuracy]}
! 6:18: loop.metrics[0].type: unknown metric 'Accuracy'; did you mean 'accuracy'?

loop: {metrics: [Nothing]}
! 6:18: loop.metrics[0].type: unknown metric 'Nothing'; there is <metrics>

loop: {metrics: [null]}
! 6:18: loop.metrics[0]: expected a metric, as a name or {type: Name, ...}; got null

loop: {epochs: 0}
! 6:16: loop.epochs: must be greater than 0, got 0

loop: {epochs: 1e2}
! 6:16: loop.epochs: expected a whole number, greater than 0, or null, got 100.0

loop: {checkpoint_every: x}
! 6:26: loop.checkpoint_every: expected a whole number, greater than 0, or null, got 'x'

loop: {batch_size: ful}
! 6:20: loop.batch_size: expected a whole number, greater than 0, or 'full', got 'ful'; did you mean 'full'?

loop: {epochs: null}
! 6:16: loop.epochs: epochs is null, and so is max_steps: a run needs an end; give one of them

loop: {max_steps: 0, clip_norm: 0, clip_value: -1, ema: 1.5, evaluate_every: 0}
! 6:19: loop.max_steps: must be greater than 0, got 0
! 6:33: loop.clip_norm: must be greater than 0, got 0
! 6:48: loop.clip_value: must be greater than 0, got -1
! 6:57: loop.ema: must be at most 1, got 1.5
! 6:78: loop.evaluate_every: must be greater than 0, got 0

loop: {clip_norm: 1, clip_value: 2}
! 6:34: loop.clip_value: clip_value and clip_norm exclude each other: clip one way

loop: {batch_size: full, accumulate: 2}
! 6:38: loop.accumulate: accumulate has nothing to add up: with batch_size: full a batch is all there is

loop: {early_stopping: {monitor: val_loss, mode: lowest}}
! 6:24: loop.early_stopping: early stopping needs 'patience': evaluations without an improvement after which the run ends
! 6:50: loop.early_stopping.mode: expected 'min', 'max' or null, got 'lowest'

loop: {early_stopping: 3}
! 6:24: loop.early_stopping: expected a mapping, got 3

loop: {patience: 3}
! 6:8: loop.patience: unknown key 'patience'; it belongs elsewhere: loop.early_stopping.patience

loop: {shuffle: 1}
! 6:17: loop.shuffle: expected true or false, got 1

loop: {epoch: 3, metric: []}
! 6:8: loop.epoch: unknown key 'epoch'; did you mean 'epochs'?
! 6:18: loop.metric: unknown key 'metric'; did you mean 'metrics'?

loop: {lr: 0.1}
! 6:8: loop.lr: unknown key 'lr'; it belongs elsewhere: optimizer.lr

loop: {train: 0.9}
! 6:8: loop.train: unknown key 'train'; it belongs elsewhere: data.split.train

loop: null
! 6:7: loop: expected a mapping, got null

loop: [1]
! 6:7: loop: expected a mapping, got [1]

seed: -1
! 6:7: seed: must be at least 0, got -1

seed: 1.0
! 6:7: seed: expected a whole number, got 1.0

seed: null
! 6:7: seed: expected a whole number, got null

dtype: float16
! 6:8: dtype: expected 'float32' or 'float64', got 'float16'; did you mean 'float32'?

dtype: double
! 6:8: dtype: expected 'float32' or 'float64', got 'double'

batch_size: 3
! 6:1: batch_size: unknown key 'batch_size'; it belongs elsewhere: loop.batch_size

momentum: 3
! 6:1: momentum: unknown key 'momentum'; it belongs elsewhere: optimizer.momentum

Seed: 3
! 6:1: Seed: unknown key 'Seed'; did you mean 'seed'?

zzzz: 3
! 6:1: zzzz: unknown key 'zzzz'; <top>

name: 3
! 1:7: name: expected a text, got 3; put it in quotes: "3"

name: null
! 1:7: name: expected a text, got null

data: Digits
! 2:7: data: expected a mapping, got 'Digits'

data: {source: Digits, target: label}
! 2:24: data.target: unknown key 'target'; did you mean 'targets'?

data: {source: {type: Digits, path: x}}
! 2:31: data.source.path: Digits has no 'path': that is an argument of <owners of path>

data: {source: Digits, inputs: images}
! 2:32: data.inputs: the source has no column 'images'; did you mean 'image'?

data: {source: Digits, inputs: [image]}
! 2:32: data.inputs: only columns of single numbers can be put in a list, and 'image' holds (64,); write it
!  without brackets: image

data: {source: Digits, inputs: {x: image, z: label}}
! 3:9: model[0]: Linear takes 1 input (input) but gets 2 (from data.inputs.x and data.inputs.z); say with 'inputs' what it reads

data: {source: Digits, inputs: {x: 3}}
! 2:36: data.inputs.x: expected a mapping, got 3

data: {source: Digits, targets: {x: label}}
! 2:37: data.targets.x: 'x' is already the name of an input; choose another

data: {source: Digits, targets: {}}
! 4:7: loss: CrossEntropyLoss needs a target; declare data.targets

data: {source: Digits, targets: {y: [label]}}
! 4:7: loss: CrossEntropyLoss takes class indices (32,) int or class probabilities (32, 10) for an input (32, 10),
!  but its target is (32, 1) int (from data.targets.y)

data: {source: Digits, targets: {y: {columns: label, dtype: float}}}
! 4:7: loss: CrossEntropyLoss takes class indices as integers but its target holds floats; make the data field
!  {columns: ..., dtype: int64} where the column holds them, {columns: ..., transforms: [ClassLabels]} where it holds
!  names (from data.targets.y)

data: {source: Digits, targets: {y: {columns: label, dtype: int32}}}
! 2:61: data.targets.y.dtype: expected 'float', 'int64' or null, got 'int32'; did you mean 'int64'?

data: {source: Digits, targets: {y: {column: label}}}
! 2:38: data.targets.y.column: unknown key 'column'; did you mean 'columns'?

data: {source: Digits, split: {train: 0.8, val: 0.2}}
! 2:31: data.split: the shares of train, val and test sum to 1.1, more than 1

data: {source: Digits, split: {train: 0, val: 1.2}}
! 2:39: data.split.train: must be greater than 0, got 0
! 2:47: data.split.val: must be at most 1, got 1.2

data: {source: Digits, split: {trian: 0.8}}
! 2:32: data.split.trian: unknown key 'trian'; did you mean 'train'?

data: {source: Digits, split: [0.8, 0.1, 0.1]}
! 2:31: data.split: expected a mapping, got [0.8, 0.1, 0.1]

data: <csv>[a, B], targets: {y: {columns: c, dtype: int64}}}
! 2:54: data.inputs[1]: the source has no column 'B'; did you mean 'b'?

data: <csv>[a, zzz], targets: {y: {columns: c, dtype: int64}}}
! 2:54: data.inputs[1]: the source has no column 'zzz'; there is a, b and c

data: <csv>{x: {columns: [zzz]}, z: qqq}, targets: {y: cc}}
! 2:65: data.inputs.x.columns[0]: the source has no column 'zzz'; there is a, b and c
! 2:75: data.inputs.z: the source has no column 'qqq'; there is a, b and c
! 2:94: data.targets.y: the source has no column 'cc'; did you mean 'c'?
! 3:9: model[0]: Linear takes 1 input (input) but gets 2; say with 'inputs' what it reads

data: <csv>[], targets: {y: {columns: c, dtype: int64}}}
! 2:50: data.inputs: a field needs at least one column

data: <csv>[1], targets: {y: {columns: c, dtype: int64}}}
! 2:50: data.inputs.x.columns: expected a text or a list of texts, got [1]

data: <csv>{x: [a]}, targets: c}
! 4:7: loss: CrossEntropyLoss takes class indices as integers but its target holds floats; make the data field
!  {columns: ..., dtype: int64} where the column holds them, {columns: ..., transforms: [ClassLabels]} where it holds
!  names (from data.targets.y)

data: <csv>{x: {columns: [a], dtype: int64}}, targets: {y: {columns: c, dtype: int64}}}
! 3:9: model[0]: Linear takes floating-point numbers but its input holds ints (from data.inputs.x)

data: {source: Digits, inputs: {}}
! 2:32: data.inputs: needs at least 1, got an empty mapping

model: [{type: Linear, out_features: 10}, {type: ReLU, p: 1.5}]
! 3:56: model[1].p: ReLU has no 'p': that is an argument of <owners of p>

model: [{type: Linear, out_features: 10}, {type: ReLU, zzzz: 1}]
! 3:56: model[1].zzzz: unknown key 'zzzz'; it takes no arguments;
!  beside them stand name, inputs, calls, repeat, init and freeze

loop: {metrics: [{type: accuracy, zzzz: 1}]}
! 6:35: loop.metrics[0].zzzz: unknown key 'zzzz'; it takes ignore_index, threshold and from_logits;
!  beside them stand inputs

loop: {metrics: [{type: accuracy, input: x}]}
! 6:35: loop.metrics[0].input: unknown key 'input'; did you mean 'inputs'?

loop: {metrics: [top_k]}
! 6:18: loop.metrics[0]: top_k needs 'k'

loop: {metrics: [{type: f1, average: makro}]}
! 6:38: loop.metrics[0].average: expected 'binary', 'macro', 'micro', 'weighted' or null, got 'makro'; did you mean 'macro'?

loop: {metrics: accuracy}
! 6:17: loop.metrics: expected a list of metrics, got 'accuracy'

data: {source: digits}
! 2:16: data.source.type: unknown source 'digits'; did you mean 'Digits'?

data: {sauce: Digits}
! 2:8: data.sauce: unknown key 'sauce'; did you mean 'source'?

data: {source: CSV}
! 2:16: data.source: CSV needs 'path'

data: {source: Digits, inputs: {'a b': image}}
! 2:33: data.inputs.a b: expected a name (letters, digits and underscores, not starting with a digit), got 'a b'

data: <csv>a, targets: {y: {columns: c, dtype: int64}}}
! 3:9: model[0]: Linear would mix the rows of a batch: its input (32,) is one number a row (from data.inputs.x);
!  a column in a list, [a], is a vector of one

data: {source: {type: CSV, path: ~nobody-has-this-name/t.csv}, inputs: [a], targets: c}
! 2:34: data.source.path: ~nobody-has-this-name/t.csv: there is no such user

data: {source: {type: CSV, path: t.csv}, inputs: [q], targets: c}
! 2:51: data.inputs[0]: the source has no column 'q'; there is a, b and c

model: [{type: Linear, out_features: 10, Name: a}]
! 3:42: model[0].Name: unknown key 'Name'; did you mean 'name'?

model: [{type: Linear, out_features: 10, input: x}]
! 3:42: model[0].input: unknown key 'input'; did you mean 'inputs'?

optimizer: {type: SGD, lr: 0.1, Lr: 0.2}
! 5:33: optimizer.Lr: unknown key 'Lr'; did you mean 'lr', which is there already?
""".strip()  # noqa: E501 - messages stand on one line


def cases(texts: str) -> list[Any]:
    """Blocks of lines of a config and, behind `!`, of its messages."""
    found = []
    for block in texts.replace("<csv>", CSV).replace("<top>", TOP).split("\n\n"):
        lines, *messages = re.split(r"\n! (?! )", block)
        found.append(pytest.param(lines, [re.sub(r"\n!  ", " ", m) for m in messages], id=lines[:60]))
    return found


@pytest.mark.parametrize(("lines", "messages"), cases(MISTAKES))
def test_one_mistake(table: Path, lines: str, messages: list[str]) -> None:
    assert refused(text_of(lines)) == [whole(message) for message in messages]


@pytest.mark.parametrize("name", ["a b", "''", "0a", "a.b", "a-b", "1", "true", "[a]", "{a: 1}", "é!"])
def test_a_component_cannot_be_called(folder: Path, name: str) -> None:
    shown = {"''": "''", "1": "1", "true": "true", "[a]": "['a']", "{a: 1}": "a mapping"}.get(name, f"'{name}'")
    text = text_of(f"model: [{{type: Linear, out_features: 10, name: {name}}}]")
    assert refused(text) == [f"3:48: model[0].name: {NAME}{shown}"]


@pytest.mark.parametrize("name", ["a/b", "../x", ".x", "-x", "''", "a b", "é", "a" * 101])
def test_a_run_cannot_be_called(folder: Path, name: str) -> None:
    shown = repr(clip(name.strip("'")))
    assert refused(text_of(f"name: {name}")) == [f"1:7: {DIRECTORY}{shown}"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("my net.yaml", "my-net"), ("a.b.yaml", "a.b"), ("_é_.yaml", "run"), (f"{'x' * 120}.yaml", "x" * 100)],
)
def test_without_a_name_the_run_is_called_like_the_file(folder: Path, file: str, name: str) -> None:
    Path(file).write_text(text_of("").replace("name: n\n", ""), encoding="utf-8")
    assert load(file).config.name == name


@pytest.mark.parametrize("value", ["[]", "{}", "3", "[3]", "[x, 3]", "{input: 3}", "{input: [x]}", "true"])
def test_inputs_that_are_no_names(folder: Path, value: str) -> None:
    shown = {"{}": "an empty mapping", "[x, 3]": "['x', 3]"}.get(value, "a mapping" if value[0] == "{" else value)
    text = text_of(f"model: [{{type: Linear, out_features: 10, inputs: {value}}}]")
    quotes = f'; put it in quotes: "{value}"' if value in ("3", "true") else ""
    assert refused(text) == [f"3:50: model[0].inputs: {WIRED}{shown}{quotes}"]


@pytest.mark.parametrize("value", ["x", "[x]", "{input: x}", "null", "a", "[a]", "'1'"])
def test_inputs_in_every_form(folder: Path, value: str) -> None:
    last = f"{{type: Linear, out_features: 10, inputs: {value}}}"
    text = text_of(f"model: [{{type: Linear, name: a, out_features: 64}}, ReLU, {last}]")
    Path("f.yaml").write_text(text, encoding="utf-8")
    graph = load("f.yaml").graph(4)
    read = {"x": 0, "a": 1, "1": 2}.get(value.strip("[]'").removeprefix("{input: ").rstrip("}"), 2)
    assert graph.calls[2].inputs == (read,)


def test_nothing_at_all(folder: Path) -> None:
    needs = {
        "data": "rows, fields and splits",
        "model": "the components, in order",
        "loss": "what is minimised: a loss, or a list of terms that are added",
        "optimizer": "how the parameters change",
    }
    assert refused("name: n\n") == [f"1:1: the config needs '{key}': {what}" for key, what in needs.items()]


def test_a_typo_at_the_top_is_one_mistake(folder: Path) -> None:
    text = "Loss: MSELoss\noptimiser: SGD\ndata: {source: Digits}\nmodel: [Linear]\n"
    assert refused(text) == [
        "1:1: Loss: unknown key 'Loss'; did you mean 'loss'?",
        "2:1: optimiser: unknown key 'optimiser'; did you mean 'optimizer'?",
        "4:9: model[0]: Linear needs 'out_features'",
    ]


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (20, f"{20 + 2}:5: model[19].type: unknown component 'Relu'; did you mean 'ReLU'?"),
        (22, "error: and 2 more mistakes"),
        (21, "error: and 1 more mistake"),
    ],
)
def test_twenty_mistakes_at_most(folder: Path, count: int, last: str) -> None:
    text = text_of("model:" + "\n  - Relu" * count)
    first = [
        f"{3 + n}:5: model[{n - 1}].type: unknown component 'Relu'; did you mean 'ReLU'?" for n in range(1, 21)
    ]
    assert refused(text) == (first if count == 20 else [*first, last])


def test_mistakes_come_in_file_order_those_of_the_command_line_last(table: Path) -> None:
    Path("f.yaml").write_text(text_of("seed: -1\nmodel: [Relu]\nname: 3"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load("f.yaml", ["loop.epochs=0", "optimizer.lr=x"])
    assert [item.headline for item in caught.value.diagnostics] == [
        'f.yaml:1:7: error: name: expected a text, got 3; put it in quotes: "3"',
        "f.yaml:3:9: error: model[0].type: unknown component 'Relu'; did you mean 'ReLU'?",
        "f.yaml:6:7: error: seed: must be at least 0, got -1",
        "<command line>:1:13: error: loop.epochs: must be greater than 0, got 0",
        "<command line>:2:14: error: optimizer.lr: expected a number, got 'x'",
    ]


def test_metrics_that_do_not_fit(table: Path) -> None:
    text = text_of(
        f"data: {CSV}[a], targets: [c]}}\nmodel: [{{type: Linear, out_features: 1}}]\nloss: MSELoss\n"
        "loop: {metrics: [perplexity]}"
    )
    message = (
        "perplexity compares outputs (N, C) with class indices (N,), but the output is (32, 1) and the target "
        "(32, 1)"
    )
    assert refused(text) == [f"6:18: loop.metrics[0]: {message}"]


def test_a_metric_is_listed_once(folder: Path) -> None:
    text = text_of("loop: {metrics: [accuracy, {type: accuracy, threshold: 0.5}]}")
    assert refused(text) == ["6:7: loop: the metric accuracy is listed 2 times"]
    names = "{type: top_k, k: 3, inputs: ['0', y]}, {type: top_k, inputs: {target: y, output: '0'}, k: 3}"
    text = text_of(f"loop: {{metrics: [{{type: top_k, k: 3}}, {{type: top_k, k: 5}}, {names}]}}")
    assert refused(text) == ["6:7: loop: the metric top_k(k=3, output=0, target=y) is listed 2 times"]


def test_a_metric_needs_a_target(folder: Path) -> None:
    text = text_of("data: {source: Digits, targets: {}}\nloop: {metrics: [accuracy]}")
    assert refused(text) == [
        "4:7: loss: CrossEntropyLoss needs a target; declare data.targets",
        "6:18: loop.metrics[0]: accuracy needs a target; declare data.targets",
    ]


@pytest.mark.parametrize(
    ("path", "messages"),
    [
        ("nope.csv", ["2:34: data.source.path: nope.csv: no such file"]),
        ("'.'", ["2:34: data.source.path: .: is a directory, not a file"]),
        ("bad.csv", ["bad.csv:1:3: columns 1 and 2 are both called 'a'"]),
    ],
)
def test_a_source_that_cannot_be_opened_is_a_data_error(table: Path, path: str, messages: list[str]) -> None:
    Path("bad.csv").write_text("a,a\n1,2\n", encoding="utf-8")
    text = text_of(f"data: {CSV}[a], targets: c}}".replace("t.csv", path))
    assert refused(text, DataError) == messages


def test_a_source_that_cannot_be_opened_beside_a_mistake_is_a_config_error(folder: Path) -> None:
    text = text_of(f"data: {CSV}[a], targets: c}}\nseed: -1")
    assert refused(text) == [
        "2:34: data.source.path: t.csv: no such file",
        "6:7: seed: must be at least 0, got -1",
    ]


def test_escapes_in_a_key_do_not_reach_the_terminal(folder: Path) -> None:
    assert refused(text_of('"\\e[31m": 3')) == [
        rf"6:1: \ufffd[31m: unknown key '\x1b[31m'; {TOP}".replace("\\ufffd", "\ufffd")
    ]


KEYS = ["type", "name", "inputs", "layers", "out_features", "in_features", "p", "lr", "x", "y", "columns", "dtype"]
WORDS = [
    *("Linear", "ReLU", "Sequential", "Dropout", "Flatten", "MSELoss", "SGD", "Digits", "CSV", "accuracy"),
    *("image", "label", "x", "y", "0", "", "float64", "int64", "none", "f.yaml", "input"),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.integers(-(10**19) + 1, 10**19 - 1),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
COMPONENTS = st.builds(
    lambda name, key, value: {"type": name, key: value}, st.sampled_from(WORDS[:10]), st.sampled_from(KEYS), SCALARS
)
VALUES = COMPONENTS | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
"""What a node is replaced by."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all nodes below the top."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, item in items for p in [(*path, key), *places(item, (*path, key))]]


def listed_data(value: Any) -> Any:
    """Data with lists that can be changed."""
    if isinstance(value, dict):
        return {key: listed_data(item) for key, item in value.items()}
    return [listed_data(item) for item in value] if isinstance(value, tuple) else value


CONFIG = (Path(__file__).parents[2] / "configs" / "digits_mlp.yaml").read_text(encoding="utf-8")
DATA = listed_data(loads(CONFIG, "f").data)
PLACES = places(DATA)


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    """The example config with one node replaced, deleted or under another key."""
    data = copy.deepcopy(DATA)
    *path, last = draw(st.sampled_from(PLACES))
    parent: Any = data
    for part in path:
        parent = parent[part]
    how = draw(st.sampled_from(["replace", "replace", "replace", "delete", "rename"]))
    if how == "replace":
        parent[last] = draw(VALUES)
    elif how == "delete" or isinstance(last, int):
        del parent[last]
    else:
        key = draw(st.sampled_from(KEYS) | st.text(st.characters(codec="utf-8"), max_size=8))
        items = [(key if k == last else k, v) for k, v in parent.items()]
        parent.clear()
        parent.update(items)
    return data


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(data=mutations())
def test_whatever_stands_in_a_config_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_text(text := dump(data), encoding="utf-8")
    error = refusal(path)
    if error is not None:
        assert error.exit_code in (2, 3)
        assert 1 <= len(error.diagnostics) <= 21
        for item in error.diagnostics:
            assert item.message
            assert item.mark is None or item.mark.file != str(path) or item.mark.line <= text.count("\n") + 1
            assert all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs") for char in str(item))


def refusal(path: Path) -> DeclnetError | None:
    try:
        load(path)
    except DeclnetError as error:
        return error
    return None
