"""One training with PyTorch Geometric or DGL, as bench_peers.py asks for it: the same nets as Laminar's, from the weights of
one of its checkpoints. Run by the interpreter of the environment that has the framework.

    python bench_peers_worker.py REQUEST.json RESULT.json

A request names framework, model, graph, split, checkpoint, hidden, layers, dropout, input_dropout, lr, epochs, threads, evaluate. A result has
a loss and a time for each epoch, validation accuracies with their times, and the largest resident memory (VmHWM).
"""

import json
import pathlib
import sys
import time

import h5py
import numpy as np
import torch
import torch.nn.functional as F

HEADS = 8
ALPHA, LAMBDA = 0.1, 0.5  # GCNII's, Laminar's defaults


class Data:
    """The graph file as PyTorch wants it: x, y, masks as indices, edges source -> target."""

    def __init__(self, file, split):
        with h5py.File(file) as f:
            indptr = f["graph/indptr"][:]
            self.source = torch.from_numpy(f["graph/indices"][:].astype(np.int64))
            self.num_vertices = len(indptr) - 1
            self.target = torch.from_numpy(np.repeat(np.arange(self.num_vertices), np.diff(indptr)))
            x = f["vertices/features"]
            if isinstance(x, h5py.Group):
                shape = tuple(x.attrs["shape"])
                rows = np.repeat(np.arange(shape[0]), np.diff(x["indptr"][:]))
                dense = np.zeros(shape, np.float32)
                np.add.at(dense, (rows, x["indices"][:]), x["data"][:])
            else:
                dense = x[:].astype(np.float32)
            self.x = torch.from_numpy(dense)
            self.y = torch.from_numpy(f["vertices/labels"][:].astype(np.int64))
            self.train, self.val = (torch.from_numpy(f[f"splits/{split}/{name}"][:]) for name in ("train", "val"))

    def with_self_loops(self):
        """Edges, with a self-loop for every vertex that has none."""
        has_loop = torch.zeros(self.num_vertices, dtype=torch.bool)
        has_loop[self.target[self.source == self.target]] = True
        loops = torch.arange(self.num_vertices)[~has_loop]
        return torch.cat([self.source, loops]), torch.cat([self.target, loops])

    def normalised(self):
        """GCN's matrix by in-degree: edges and 1 / sqrt(d_source d_target)."""
        source, target = self.with_self_loops()
        scale = torch.bincount(target, minlength=self.num_vertices).float().rsqrt()
        return source, target, scale[source] * scale[target]


def load(parameter, values):
    """A weight of Laminar's [in, out] into a parameter that may want it turned or in heads."""
    values = torch.from_numpy(values)
    if parameter.shape != values.shape and parameter.shape == values.T.shape:
        values = values.T
    with torch.no_grad():
        parameter.copy_(values.reshape(parameter.shape))


def load_linear(module, weight, bias=None):
    """nn.Linear and its like, whose weight is [out, in] even where it is square."""
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight.T))
        if bias is not None:
            module.bias.copy_(torch.from_numpy(bias[0]))


class Net(torch.nn.Module):
    """Convolutions with ReLU and dropout between, as `laminar-train --layers N`; GCNII has an encoder and a head around them."""

    def __init__(self, convolutions, weights, request, encoder=None, head=None):
        super().__init__()
        self.convolutions = torch.nn.ModuleList(convolutions)
        self.dropout, self.input_dropout = request["dropout"], request["input_dropout"]
        self.encoder, self.head = encoder, head
        if encoder is not None:
            load_linear(encoder, weights["encoder.weight"], weights["encoder.weight_bias"])
            load_linear(head, weights["head.weight"], weights["head.weight_bias"])

    def forward(self, x, *graph):
        if self.input_dropout > 0:
            x = F.dropout(x, self.input_dropout, self.training)
        if self.encoder is not None:
            x = first = F.relu(self.encoder(x))
            for convolution in self.convolutions:
                x = F.relu(convolution(F.dropout(x, self.dropout, self.training), first, *graph))
            return self.head(F.dropout(x, self.dropout, self.training))
        for i, convolution in enumerate(self.convolutions):
            if i > 0:
                x = F.dropout(F.relu(x), self.dropout, self.training)
            x = convolution(x, *graph)
        return x


def with_perceptron(convolution, i, o, weights, name):
    """convolution(net), whose net gets its weights afterwards: PyTorch Geometric's draws them anew."""
    net = torch.nn.Sequential(torch.nn.Linear(i, o), torch.nn.ReLU(), torch.nn.Linear(o, o))
    made = convolution(net)
    load_linear(net[0], weights[f"{name}.first"], weights[f"{name}.first_bias"])
    load_linear(net[2], weights[f"{name}.second"], weights[f"{name}.second_bias"])
    return made


def widths(request, data, classes):
    return [data.x.shape[1]] + [request["hidden"]] * (request["layers"] - 1) + [classes]


def pyg(request, data, weights, classes):
    """The net and what its forward gets beside x. `pyg-csr` has the matrix as torch's CSR, which multiplies without a message
    an edge; attention knows no such path."""
    from torch_geometric.nn import GATConv, GCN2Conv, GCNConv, GINConv, SAGEConv
    model, csr = request["model"], request["framework"] == "pyg-csr"
    w = widths(request, data, classes)
    layers = list(enumerate(zip(w, w[1:])))
    if csr and model == "gat":
        raise ValueError("GATConv takes no sparse matrix of torch")

    def matrix(source, target, values):
        shape = (data.num_vertices, data.num_vertices)
        return torch.sparse_coo_tensor(torch.stack([target, source]), values, shape).coalesce().to_sparse_csr()

    if model in ("gcn", "gcnii"):
        source, target, values = data.normalised()
        graph = (matrix(source, target, values),) if csr else (torch.stack([source, target]), values)
    else:
        source, target = data.source, data.target
        graph = (matrix(source, target, torch.ones(len(source))),) if csr else (torch.stack([source, target]),)
    if model == "gcnii":
        h = request["hidden"]
        convolutions = [GCN2Conv(h, ALPHA, LAMBDA, l + 1, normalize=False) for l in range(request["layers"])]
        for l, c in enumerate(convolutions):
            load(c.weight1, weights[f"layers.{l}.weight"])
        return Net(convolutions, weights, request, torch.nn.Linear(w[0], h), torch.nn.Linear(h, classes)), graph
    convolutions = []
    for l, (i, o) in layers:
        name, last = f"layers.{l}", l + 1 == request["layers"]
        if model == "gcn":
            c = GCNConv(i, o, normalize=False)
            load_linear(c.lin, weights[f"{name}.weight"])
            load(c.bias, weights[f"{name}.weight_bias"])
        elif model == "sage":
            c = SAGEConv(i, o)
            load_linear(c.lin_l, weights[f"{name}.neighbour"], weights[f"{name}.neighbour_bias"])
            load_linear(c.lin_r, weights[f"{name}.self"])
        elif model == "gin":
            c = with_perceptron(GINConv, i, o, weights, name)
        else:
            heads = 1 if last else HEADS
            c = GATConv(i, o // heads, heads)
            load_linear(c.lin, weights[f"{name}.weight"])
            load(c.att_src, weights[f"{name}.source_vector"])
            load(c.att_dst, weights[f"{name}.target_vector"])
            load(c.bias, weights[f"{name}.bias"])
        convolutions.append(c)
    return Net(convolutions, weights, request), graph


class Arguments(torch.nn.Module):
    """DGL's convolutions take the graph first."""

    def __init__(self, convolution, flat=False):
        super().__init__()
        self.convolution, self.flat = convolution, flat

    def forward(self, x, *rest):
        *features, graph, values = rest
        y = self.convolution(graph, x, *features, **({} if values is None else {"edge_weight": values}))
        return y.flatten(1) if self.flat else y


def dgl_net(request, data, weights, classes):
    import dgl
    from dgl.nn import GATConv, GCN2Conv, GINConv, GraphConv, SAGEConv
    model = request["model"]
    w = widths(request, data, classes)
    values = None
    if model == "gcn":
        source, target, values = data.normalised()
    elif model in ("gat", "gcnii"):
        source, target = data.with_self_loops()
    else:
        source, target = data.source, data.target
    graph = dgl.graph((source, target), num_nodes=data.num_vertices).formats(["coo", "csr", "csc"])
    graph.create_formats_()
    if model == "gcnii":
        h = request["hidden"]
        convolutions = [GCN2Conv(h, l + 1, ALPHA, LAMBDA, bias=False) for l in range(request["layers"])]
        for l, c in enumerate(convolutions):
            load(c.weight1, weights[f"layers.{l}.weight"])
        net = Net(map(Arguments, convolutions), weights, request, torch.nn.Linear(w[0], h),
                  torch.nn.Linear(h, classes))
        return net, (graph, values)
    convolutions = []
    for l, (i, o) in enumerate(zip(w, w[1:])):
        name, last = f"layers.{l}", l + 1 == request["layers"]
        if model == "gcn":
            c = GraphConv(i, o, norm="none", allow_zero_in_degree=True)
            load(c.weight, weights[f"{name}.weight"])
            load(c.bias, weights[f"{name}.weight_bias"])
        elif model == "sage":
            c = SAGEConv(i, o, "mean")
            load_linear(c.fc_neigh, weights[f"{name}.neighbour"])
            load_linear(c.fc_self, weights[f"{name}.self"], weights[f"{name}.neighbour_bias"])
        elif model == "gin":
            c = with_perceptron(lambda net: GINConv(net, "sum"), i, o, weights, name)
        else:
            heads = 1 if last else HEADS
            c = GATConv(i, o // heads, heads)
            load_linear(c.fc, weights[f"{name}.weight"])
            load(c.attn_l, weights[f"{name}.source_vector"])
            load(c.attn_r, weights[f"{name}.target_vector"])
            load(c.bias, weights[f"{name}.bias"])
        convolutions.append(Arguments(c, flat=model == "gat"))
    return Net(convolutions, weights, request), (graph, values)


def peak_mib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main():
    request = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(request["threads"])
    torch.manual_seed(request["seed"])
    data = Data(request["graph"], request["split"])
    with h5py.File(request["checkpoint"]) as f:
        weights = {name: f["weights"][name][:] for name in f["weights"]}
    make = dgl_net if request["framework"] == "dgl" else pyg
    net, graph = make(request, data, weights, request["classes"])
    loaded_mib = peak_mib()
    run = torch.compile(net) if request["framework"] == "pyg-compile" else net
    optimizer = torch.optim.Adam(net.parameters(), lr=request["lr"])
    result = {"versions": {"torch": torch.__version__}, "loss": [], "epoch_ms": [], "cpu_ms": [], "val": [], "evaluation_ms": []}
    for _ in range(request["epochs"]):
        start, cpu = time.perf_counter(), time.process_time()
        net.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(run(data.x, *graph)[data.train], data.y[data.train])
        loss.backward()
        optimizer.step()
        result["loss"].append(loss.item())
        trained = time.perf_counter()
        result["epoch_ms"].append(1e3 * (trained - start))
        result["cpu_ms"].append(1e3 * (time.process_time() - cpu))
        if request["evaluate"]:
            net.eval()
            with torch.no_grad():
                found = run(data.x, *graph)[data.val].argmax(1)
                result["val"].append((found == data.y[data.val]).float().mean().item())
            result["evaluation_ms"].append(1e3 * (time.perf_counter() - trained))
    result["peak_mib"] = peak_mib()
    result["loaded_mib"] = loaded_mib
    for name in ("torch_geometric", "dgl"):
        if name in sys.modules:
            result["versions"][name] = sys.modules[name].__version__
    pathlib.Path(sys.argv[2]).write_text(json.dumps(result))


main()
