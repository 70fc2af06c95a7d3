"""What substrates share whose parts run in containers, whatever starts these.

stack       names, ports and passwords of one lab's parts
addresses   where everything answers, from this machine and from the runner
answers     whether the services do their work
identity    the name of a lab where several machines may have some
watched     which jobs of Prometheus scrape which part
images      names and tags of all images;  sources  the lab's own code, for containers
runner      programs, files and relays where the system runs: asks `inside`, in a container
"""
