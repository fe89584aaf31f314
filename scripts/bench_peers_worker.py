"""One training with PyTorch Geometric or DGL, as bench_peers.py asks for it: the same nets as Laminar's, from the weights of
one of its checkpoints. Run by the interpreter of the environment that has the framework.

    python bench_peers_worker.py REQUEST.json RESULT.json

A request names framework, model, graph, split, checkpoint, hidden, layers, dropout, input_dropout, lr, epochs, threads, evaluate and
seed; of pyg-sampled also batch, fan_out, and target and limit_s, the validation accuracy and the seconds that end it. A result has a
loss and a time for each epoch, validation accuracies with their times, and the largest resident memory (VmHWM).
"""

import json
import pathlib
import sys
import time

import h5py
import torch
import torch.nn.functional as F

import bench_peers_nets as nets


def peak_mib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def whole_graph(run, data, graph, optimizer):
    """The function that trains one epoch and returns its loss."""

    def epoch():
        optimizer.zero_grad()
        loss = F.cross_entropy(run(data.x, *graph)[data.train], data.y[data.train])
        loss.backward()
        optimizer.step()
        return loss.item()

    return epoch


def sampled(net, data, request, optimizer):
    """The same for batches with sampled neighbours, by PyTorch Geometric's loader in this process. A mean and attention are over
    the neighbours that were drawn; the sums of GCN stand for all of them, each weighted with neighbours / drawn, so that the net is the
    one that is evaluated on the whole graph."""
    from torch_geometric.data import Data
    from torch_geometric.loader import NeighborLoader
    model = request["model"]
    if model not in ("gcn", "sage", "gat"):
        raise ValueError({"gin": "GINConv's sums have no weights that would make up for neighbours left out"}.get(
            model, f"{request['layers']} layers of sampled neighbours are the whole graph"))
    if len(request["fan_out"]) != request["layers"]:
        raise ValueError(f"{len(request['fan_out'])} fan-outs for {request['layers']} layers")
    source, target = data.source, data.target
    if model == "gcn":
        # Loops are added to every batch.
        source, target = source[source != target], target[source != target]
        degree = torch.bincount(target, minlength=data.num_vertices).float() + 1
    graph = Data(x=data.x, y=data.y, edge_index=torch.stack([source, target]))
    loader = NeighborLoader(graph, num_neighbors=request["fan_out"], input_nodes=data.train, batch_size=request["batch"], shuffle=True)

    def weights(batch):
        if model != "gcn":
            return (batch.edge_index,)
        source, target = batch.edge_index
        d = degree[batch.n_id]
        drawn = torch.bincount(target, minlength=len(d)).float()
        values = ((d - 1) / drawn)[target] * (d[source] * d[target]).rsqrt()
        loops = torch.arange(len(d))
        return torch.stack([torch.cat([source, loops]), torch.cat([target, loops])]), torch.cat([values, 1 / d])

    def epoch():
        total = 0
        for batch in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(batch.x, *weights(batch))[:batch.batch_size], batch.y[:batch.batch_size])
            loss.backward()
            optimizer.step()
            total += loss.item() * batch.batch_size
        return total / len(data.train)

    return epoch


def train(request, net, run, data, graph, epoch):
    """Epochs until their number or the request's target or time is reached."""
    result = {"loss": [], "epoch_ms": [], "cpu_ms": [], "val": [], "evaluation_ms": []}
    began = time.perf_counter()
    for _ in range(request["epochs"]):
        start, cpu = time.perf_counter(), time.process_time()
        net.train()
        result["loss"].append(epoch())
        trained = time.perf_counter()
        result["epoch_ms"].append(1e3 * (trained - start))
        result["cpu_ms"].append(1e3 * (time.process_time() - cpu))
        if request["evaluate"]:
            net.eval()
            with torch.no_grad():
                found = run(data.x, *graph)[data.val].argmax(1)
                result["val"].append((found == data.y[data.val]).float().mean().item())
            result["evaluation_ms"].append(1e3 * (time.perf_counter() - trained))
            if "target" in request and (result["val"][-1] >= request["target"] or time.perf_counter() - began > request["limit_s"]):
                break
    return result


def main():
    request = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(request["threads"])
    torch.manual_seed(request["seed"])
    data = nets.Data(request["graph"], request["split"])
    with h5py.File(request["checkpoint"]) as f:
        weights = {name: f["weights"][name][:] for name in f["weights"]}
    framework, *words = request["framework"].split("-")
    if framework == "dgl":
        net, graph = nets.dgl_net(request, data, weights, request["classes"])
    else:
        form = "csr" if "csr" in words else "sparse" if "sparse" in words or "sampled" in words else "edges"
        graph = nets.pyg_graph(request["model"], form, data)
        net = nets.pyg_net(request, data, weights, request["classes"])
    loaded_mib = peak_mib()
    run = torch.compile(net) if "compile" in words else net
    optimizer = torch.optim.Adam(net.parameters(), lr=request["lr"])
    epoch = sampled(net, data, request, optimizer) if "sampled" in words else whole_graph(run, data, graph, optimizer)
    result = train(request, net, run, data, graph, epoch)
    versions = {name: sys.modules[name].__version__ for name in ("torch", "torch_geometric", "torch_sparse", "dgl") if name in sys.modules}
    result |= {"peak_mib": peak_mib(), "loaded_mib": loaded_mib, "versions": versions}
    pathlib.Path(sys.argv[2]).write_text(json.dumps(result))


main()
