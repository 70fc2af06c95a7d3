%% Loads all modules of RabbitMQ at once, before it loads them one by one as it starts.
%%
%% For each module that is loaded alone Erlang copies its table of all functions, and a node has a
%% thousand: that was two fifths of the processor time of a start. What cannot be found or loaded is
%% left to RabbitMQ, which then says so.

%% It starts other Erlang programs, which have no use for this.
os:unsetenv("ERL_AFLAGS"),
Applications = fun Of([], Found) -> Found;
                   Of([Name | Rest], Found) ->
                       Known = lists:keymember(Name, 1, Found),
                       case Known orelse code:where_is_file(atom_to_list(Name) ++ ".app") of
                           true -> Of(Rest, Found);
                           non_existing -> Of(Rest, Found);
                           File ->
                               {ok, [{application, Name, Keys}]} = file:consult(File),
                               Needed = proplists:get_value(applications, Keys, []),
                               Of(Needed ++ Rest, [{Name, Keys} | Found])
                       end
               end,
Started = [rabbitmq_prelaunch, rabbit, rabbitmq_management, rabbitmq_prometheus],
Modules = [Module || {_, Keys} <- Applications(Started, []),
                     Module <- proplists:get_value(modules, Keys, [])],
code:ensure_modules_loaded(Modules).
