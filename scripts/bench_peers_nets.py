"""The nets of bench_peers.py in PyTorch Geometric and DGL, with the weights of one of Laminar's checkpoints."""

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


def pyg_graph(model, form, data):
    """What a net's forward gets beside x. In `form` edges that is the edge_index, and GCN's weights; csr and sparse are matrices,
    torch's CSR and torch-sparse's SparseTensor, which multiply without a message an edge."""
    if model in ("gcn", "gcnii"):
        source, target, values = data.normalised()
    else:
        source, target, values = data.source, data.target, None
    shape = (data.num_vertices, data.num_vertices)
    if form == "csr":
        if model == "gat":
            raise ValueError("GATConv takes no sparse matrix of torch")
        values = torch.ones(len(source)) if values is None else values
        return (torch.sparse_coo_tensor(torch.stack([target, source]), values, shape).coalesce().to_sparse_csr(),)
    if form == "sparse":
        from torch_sparse import SparseTensor
        # What the backward needs of the transpose is made before the training, as Laminar and DGL do.
        return (SparseTensor(row=target, col=source, value=values, sparse_sizes=shape).fill_cache_(),)
    edges = torch.stack([source, target])
    return (edges,) if values is None else (edges, values)


def pyg_net(request, data, weights, classes):
    from torch_geometric.nn import GATConv, GCN2Conv, GCNConv, GINConv, SAGEConv
    model = request["model"]
    w = widths(request, data, classes)
    if model == "gcnii":
        h = request["hidden"]
        convolutions = [GCN2Conv(h, ALPHA, LAMBDA, l + 1, normalize=False) for l in range(request["layers"])]
        for l, c in enumerate(convolutions):
            load(c.weight1, weights[f"layers.{l}.weight"])
        return Net(convolutions, weights, request, torch.nn.Linear(w[0], h), torch.nn.Linear(h, classes))
    convolutions = []
    for l, (i, o) in enumerate(zip(w, w[1:])):
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
    return Net(convolutions, weights, request)


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
    """The net and what its forward gets beside x."""
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
